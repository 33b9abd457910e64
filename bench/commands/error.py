"""Show where the error of a file comes from, by step and by layer."""

from sealbench.bench.analysis.error import main

__all__ = ["main"]
