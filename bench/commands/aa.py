"""Time one file against itself and a slowed copy: the noise of this machine, and the slow-down that is found."""

from sealbench.bench.analysis.aa import main

__all__ = ["main"]
