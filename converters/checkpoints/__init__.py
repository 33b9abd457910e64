"""Weights: found, downloaded, verified and read, never unpickled."""
