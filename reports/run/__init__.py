"""The folder of a run: written, read back, kept as a baseline, compared for compatibility."""
