"""Show how small a loss of bits is found in the logits that a run recorded."""

from sealbench.bench.analysis.power import main

__all__ = ["main"]
