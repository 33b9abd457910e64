"""Measure every recipe that a precision's was chosen from, side by side."""

from sealbench.bench.analysis.candidates import main

__all__ = ["main"]
