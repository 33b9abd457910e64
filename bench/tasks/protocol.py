"""What a task is: everything that differs between measuring models of one purpose and those of another.

Imports no torch, no pandas and no scipy, and neither does an entry's module before there is something to measure.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sealbench.bench.backends.protocol import Session
from sealbench.bench.targets import Group
from sealbench.converters.cards.card import Card
from sealbench.converters.families import Model
from sealbench.datasets.sample import Sample
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.schema.records import Case

Arrays = tuple[np.ndarray, ...]
"""What a model's file takes of one picture, or gives for it, in order."""


class Inputs(Protocol):
    """Pictures of one dataset, or a part of them, as a model's file takes them."""

    @property
    def labels(self) -> Any:
        """What is known of them beside their pixels: a dataclass that `sealbench.bench.tasks.join` can join."""

    def __len__(self) -> int:
        """How many pictures a model is shown."""

    def arrays(self, index: int) -> Arrays:
        """What a file takes of one of them, from 0."""


class Task(Protocol):
    """What differs between measuring models of one task and those of another.

    A package adds one by an entry point of the group `sealbench.tasks`, whose name is the `task` of its cards.

    `Outputs` and `Samples` below are the task's own types, dataclasses that `sealbench.bench.tasks.join` can join; its
    suites know them, no one else reads them.
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

    @property
    def takes_preprocess(self) -> bool:
        """Whether pictures are brought to the model's input in the ways of `sealbench.datasets.preprocess`."""

    def gives(self, card: Card) -> str:
        """What a model's outputs are; a suite whose marker `suite` names `outputs` runs on models of these alone."""

    def check_dataset(self, dataset: str) -> str | None:
        """Say what is expected instead, where models of this task cannot be measured on a dataset."""

    def has_plain(self, dataset: str) -> bool:
        """Whether there are images of a dataset without a watermark."""

    def read(self, dataset: str, group: Group, count: int, rate: float) -> list[Sample]:
        """The images of a dataset, at most `count`; of a video `rate` frames a second. Raises DatasetError."""

    def prepare(self, dataset: str, samples: Sequence[Sample], group: Group, model: Model, first: int) -> Inputs:
        """A part of the images as the files take them; `first` is the number of its first image in the dataset."""

    def attacked(self, inputs: Any, attack: str, group: Group) -> Inputs:
        """Those of `prepare` or `resized` after an attack; asked for only where `takes_attacks`."""

    def resized(self, inputs: Any, preprocess: str, group: Group) -> Inputs:
        """Those of `prepare`, which resizes as upstream does, on another picture path; where `takes_preprocess`."""

    def reference(self, group: Group, model: Model, threads: int) -> Session:
        """The PyTorch model; it takes and gives what a file does."""

    def check_signature(self, path: Path, session: Session, group: Group) -> None:
        """Raise RunnerError where an opened file takes or gives something else than the group's files."""

    def random_inputs(self, group: Group) -> Arrays:
        """Values of one image, in the shapes that a file takes, for a latency, which does not depend on them."""

    def outputs(self, inputs: Any, found: Sequence[Arrays], reference: Sequence[Arrays]) -> Any:
        """Outputs: what is kept of what a model gave for each input, and PyTorch for the same."""

    def append(self, run: RunDirectory, case: Case, labels: Any, attack: str, outputs: Any, reference: Any) -> None:
        """Write the raw results to the run's samples."""

    def load(self, run_dir: Path) -> Any:
        """Samples: the raw results of an earlier run, a `pandas.DataFrame`."""

    def recorded(self, samples: Any, case: Case, labels: Any, attack: str) -> Any | None:
        """Outputs that `load` found, to the last digit; None if they are not all there."""
