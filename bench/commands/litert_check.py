"""Show the latency of a file beside that of LiteRT's own benchmark."""

from sealbench.bench.analysis.litert_check import main

__all__ = ["main"]
