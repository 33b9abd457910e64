"""Measure how well PyTorch reads a model's watermarks, attack by attack."""

from sealbench.bench.analysis.evaluate import main

__all__ = ["main"]
