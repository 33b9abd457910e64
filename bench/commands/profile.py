"""Show where the time of a file goes, by kind of operation."""

from sealbench.bench.analysis.profile import main

__all__ = ["main"]
