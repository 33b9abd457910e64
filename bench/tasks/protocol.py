"""What a task is: everything that differs between measuring models of one purpose and those of another.

Imports no torch, no pandas and no scipy, and neither does an entry's module before there is something to measure.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sealbench.bench.targets import Group, Target
from sealbench.converters.cards.card import Card
from sealbench.converters.families import Model
from sealbench.datasets.sample import Sample
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.schema.records import Case

Run = Callable[..., Any]
"""A model that is ready to run: what it takes of one image, in order, to its output, or a tuple of several."""


class Task(Protocol):
    """What differs between measuring models of one task and those of another.

    A package adds one by an entry point of the group `sealbench.tasks`, whose name is the `task` of its cards.

    `Inputs`, `Outputs` and `Samples` below are the task's own types; its suites know them, no one else reads them.
    """

    @property
    def suites(self) -> tuple[str, ...]:
        """Names of the modules, or of packages of `test_*.py` modules, that hold suites of this task.

        They are collected beside those of `sealbench.bench.suites` where a model of this task is measured.
        """

    def default_datasets(self, card: Card) -> tuple[str, ...]:
        """What a model is measured on where the user names nothing."""

    @property
    def takes_attacks(self) -> bool:
        """Whether there is anything to measure on attacked images."""

    def gives(self, card: Card) -> str:
        """What a model's outputs are; a suite whose marker `suite` names `outputs` runs on models of these alone."""

    def check_dataset(self, dataset: str) -> str | None:
        """Say what is expected instead, where models of this task cannot be measured on a dataset."""

    def has_plain(self, dataset: str) -> bool:
        """Whether there are images of a dataset without a watermark."""

    def read(self, dataset: str, group: Group, count: int, rate: float) -> list[Sample]:
        """The images of a dataset, at most `count`; of a video `rate` frames a second. Raises DatasetError."""

    def prepare(self, dataset: str, samples: list[Sample], group: Group, model: Model) -> Any:
        """Inputs: the images as the files take them."""

    def attacked(self, inputs: Any, attack: str, group: Group) -> Any:
        """Inputs: those of `prepare` after an attack; asked for only where `takes_attacks`."""

    def reference(self, group: Group, model: Model, threads: int) -> Run:
        """The PyTorch model."""

    def runner(self, path: Path, target: Target) -> Run:
        """A file on the target's backend. Raises RunnerError."""

    def random_inputs(self, group: Group) -> tuple[np.ndarray, ...]:
        """Values of one image, in the shapes that `runner` takes, for a latency, which does not depend on them."""

    def run(self, run: Run, inputs: Any, reference: Any | None) -> Any:
        """Outputs of a model on inputs; `reference` are those of PyTorch, None for PyTorch itself."""

    def comparable(self, outputs: Any, make_run: Callable[[], Run], inputs: Any) -> Any:
        """The reference's Outputs with all that `run` needs of them, run again where an earlier run kept less."""

    def append(self, run: RunDirectory, case: Case, inputs: Any, outputs: Any, reference: Any) -> None:
        """Write the raw results to the run's samples."""

    def load(self, run_dir: Path) -> Any:
        """Samples: the raw results of an earlier run, a `pandas.DataFrame`."""

    def recorded(self, samples: Any, case: Case, inputs: Any) -> Any | None:
        """Outputs that `load` found, to the last digit; None if they are not all there."""
