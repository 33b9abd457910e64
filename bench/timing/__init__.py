"""Interleaved rounds in processes of their own, and how many of them it takes."""
