"""What is measured: every file of the matrix, and the PyTorch reference of each group."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from sealbench.bench.backends.names import REFERENCE_BACKEND, REFERENCE_FILE
from sealbench.converters.cards.card import Card
from sealbench.converters.cards.file import FileCard
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.export.precisions import Precision, get_precision
from sealbench.converters.rewrites import choose_rewrites
from sealbench.converters.store import ArtifactSpec
from sealbench.reports.schema.formatting import file_label, threads_text
from sealbench.reports.schema.records import NO_REWRITES, REFERENCES, UPSTREAM, Case


@dataclass(frozen=True)
class Group:
    """One variant with its weights at one image size: what its targets share is computed once.

    Attributes:
        variant, weights: the model.
        size: of the images that the detector is given.
        mode: `simple`, or `resize` if they are resized inside the model.
    """

    variant: Card
    weights: Weights
    size: ImageSize
    mode: str = "simple"

    def __str__(self) -> str:
        return f"{self.variant.name} {self.size}{' resize' if self.mode == 'resize' else ''}"


@dataclass(frozen=True)
class Target:
    """One thing to measure: a file of a group on a backend, or PyTorch, each on one picture path.

    PyTorch (float32 on `torch`) with upstream's resize is the group's reference.

    Attributes:
        group: see `Group`.
        precision: of the file.
        backend: name of the backend that runs it.
        threads: of the runner.
        rewrite: the choice of rewrites that the file was asked for with; `none` for PyTorch.
        preprocess: how pictures are brought to the model's input, as `sealbench.datasets.preprocess` names it.
    """

    group: Group
    precision: Precision
    backend: str
    threads: int
    rewrite: str = "none"
    preprocess: str = UPSTREAM

    @property
    def variant(self) -> Card:
        """The model, as its card says."""
        return self.group.variant

    @property
    def rewrites(self) -> tuple[str, ...]:
        """Names of the rewrites that the choice comes to for this variant."""
        return choose_rewrites(self.rewrite, self.group.variant)

    @property
    def spec(self) -> ArtifactSpec:
        """The artifact that is measured."""
        group = self.group
        return ArtifactSpec(group.variant, group.weights, self.precision, group.size, group.mode, self.rewrites)

    @property
    def float32(self) -> Self:
        """The float32 file of the same backend and choice of rewrites, which sizes and speeds are compared with."""
        return replace(self, precision=get_precision("float32"))

    @property
    def plain(self) -> Self:
        """The same file without rewrites."""
        return replace(self, rewrite="none")

    @property
    def upstream(self) -> Self:
        """The same with upstream's resize: what is measured of the file where no picture is resized."""
        return replace(self, preprocess=UPSTREAM)

    @property
    def case(self) -> Case:
        """Its coordinates in every table."""
        return Case(
            variant=self.group.variant.name,
            weights=self.group.weights.kind,
            precision=self.precision.name,
            image_size=str(self.group.size),
            mode=self.group.mode,
            backend=self.backend,
            threads=self.threads,
            rewrites="+".join(self.rewrites) or NO_REWRITES,
            preprocess=self.preprocess,
        )

    @property
    def is_reference(self) -> bool:
        """Whether this is what all others of its group are compared with: PyTorch with upstream's resize, or a file."""
        return self.backend in REFERENCES and self.preprocess == UPSTREAM

    def __str__(self) -> str:
        case = self.case
        rewrites = "" if case.rewrites == NO_REWRITES else f"-{case.rewrites}"
        resize = "-resize" if case.mode == "resize" else ""
        name = f"{case.variant}-{case.image_size}{resize}-{case.precision}{rewrites}-{case.backend}-t{case.threads}"
        return name if self.preprocess == UPSTREAM else f"{name}-{self.preprocess}"


def reference_of(group: Group, threads: int) -> Target:
    """What all files of a group are compared with: the PyTorch model, or a file."""
    if isinstance(group.variant, FileCard):
        return Target(group, get_precision(group.variant.precision), REFERENCE_FILE, threads)
    return Target(group, get_precision("float32"), REFERENCE_BACKEND, threads)


def dataset_name(dataset: str) -> str:
    """The name of a dataset in tables: a folder or file goes by its own name, not by its place on this machine."""
    return Path(dataset).resolve().name if Path(dataset).exists() else dataset


def short_name(target: Target) -> str:
    """For people: `videoseal_nano 256 int8*`, starred where rewritten, with what is unusual about it."""
    case = target.case
    file = file_label(case.precision, case.rewrites, case.backend, case.preprocess)
    return f"{target.group} {file}{threads_text(case.threads)}"
