"""What every group of a run shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealbench.bench.targets import Target
from sealbench.converters.store import ArtifactStore
from sealbench.reports.gates.judge import Gate
from sealbench.reports.run.directory import RunDirectory


@dataclass(frozen=True)
class Shown:
    """Pictures that a test needs a model's outputs for.

    Attributes:
        target: the model.
        dataset: name or path of the pictures.
        attack: what is done to them.
    """

    target: Target
    dataset: str
    attack: str


@dataclass(frozen=True)
class RunContext:
    """What every group of a run shares.

    Attributes:
        targets: of the whole run.
        shown: what the tests that are left after collection need outputs for.
        samples: for each variant's name how many images of a dataset.
        run: where raw samples are written.
        store: makes artifacts.
        artifact: the file to measure instead of converting, or None.
        resumed: the folder of an interrupted run that is resumed, or None.
        rate: frames that are taken of a second of a video.
        gates: what the run is judged by; rounds are added while one on a speed-up is inconclusive.
        attacks: under which watermarked images are measured.
    """

    targets: tuple[Target, ...]
    shown: tuple[Shown, ...]
    samples: Mapping[str, int]
    run: RunDirectory
    store: ArtifactStore
    artifact: Path | None
    resumed: Path | None
    rate: float
    gates: Sequence[Gate]
    attacks: tuple[str, ...]
