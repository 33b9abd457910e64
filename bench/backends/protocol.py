"""What a backend is: it loads a model with a number of threads into a session, and a session runs it.

Imports no torch, no LiteRT and no TensorFlow, and neither does an entry's module before `load_engine` or `open`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class TensorSpec:
    """A tensor that a model takes or gives.

    Attributes:
        dtype: NumPy's name of the number type, like `float32`.
        shape: -1 for a side that the model leaves free.
    """

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


class Session(Protocol):
    """A loaded model: arrays in, arrays out."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What the model takes, in order; empty where the model does not declare it."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What the model gives, in order; empty where the model does not declare it."""

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run once.

        Args:
            arrays: one for each input, of its type and shape.

        Returns:
            One array for each output. They are the caller's own: the next call does not change them.

        Raises:
            RunnerError: the engine fails, or takes other tensors; the message names the file.
        """


class Backend(Protocol):
    """Where a model runs.

    A package adds one by an entry point of the group `sealbench.backends`, whose name is the backend's in
    `--backend` and in every table.
    """

    @property
    def name(self) -> str:
        """As in `--backend` and in every table."""

    def missing(self) -> str | None:
        """None if this backend can be used here, else what to install, like `pip install 'sealbench[tensorflow]'`."""

    def load_engine(self) -> None:
        """Import the engine, which the time to load a model does not include; RunnerError where it is missing."""

    def open(self, model: Any, threads: int) -> Session:
        """Load a model.

        Args:
            model: the path of a file; of the reference backend the `torch.nn.Module`.
            threads: that one call may use, at least 1.

        Raises:
            RunnerError: the model is missing, damaged or cannot be run, or the engine is not installed.
        """

    def describe(self) -> Mapping[str, str]:
        """What environment.json records: the engine's package and version, and what else its numbers depend on."""
