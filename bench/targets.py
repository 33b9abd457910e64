"""What is measured: every file of the matrix, and the PyTorch reference of each group."""

from dataclasses import dataclass

from bench.options import Options
from converters.image_size import ImageSize
from converters.precisions import Precision, get_precision
from converters.store import ArtifactSpec
from converters.variants import Variant
from converters.weights import Weights
from reports.records import Case


@dataclass(frozen=True)
class Group:
    """One variant with its weights at one image size: what its targets share is computed once."""

    variant: Variant
    weights: Weights
    size: ImageSize

    def spec(self, precision: Precision) -> ArtifactSpec:
        """The artifact of this group at a precision."""
        return ArtifactSpec(self.variant, self.weights, precision, self.size)


@dataclass(frozen=True)
class Target:
    """One thing to measure: a precision of a group on a backend, or its reference (float32 on `torch`)."""

    group: Group
    precision: Precision
    backend: str
    threads: int

    @property
    def case(self) -> Case:
        """Its coordinates in every table."""
        return Case(
            variant=self.group.variant.name,
            weights=self.group.weights.kind,
            precision=self.precision.name,
            image_size=str(self.group.size),
            mode="simple",
            backend=self.backend,
            threads=self.threads,
        )

    @property
    def is_reference(self) -> bool:
        """Whether this is the PyTorch model that all files of its group are compared with."""
        return self.backend == "torch"

    def __str__(self) -> str:
        case = self.case
        return f"{case.variant}-{case.image_size}-{case.precision}-{case.backend}"


def expand(options: Options) -> tuple[Target, ...]:
    """All targets of a run, group by group, the reference of a group first."""
    targets: list[Target] = []
    for variant in options.variants:
        for size in options.sizes_of(variant):
            group = Group(variant, options.weights[variant.name], size)
            targets.append(Target(group, get_precision("float32"), "torch", options.threads))
            targets.extend(
                Target(group, precision, backend, options.threads)
                for precision in options.precisions
                for backend in options.backends
            )
    return tuple(targets)
