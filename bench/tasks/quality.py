"""Quality scores: distorted frames, and how far a file's scores or features are from PyTorch's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sealbench.bench.backends.protocol import Session
from sealbench.bench.backends.registry import REFERENCE_BACKEND, backend_of
from sealbench.bench.targets import Group
from sealbench.bench.tasks.frame_set import FrameLabels, FrameSet, Outputs, compare, frame_set, read_frames
from sealbench.bench.tasks.protocol import Arrays
from sealbench.converters.cards.card import Card
from sealbench.converters.families import Model
from sealbench.converters.families.quality import as_quality, frame_size, input_shapes
from sealbench.datasets.sample import Sample
from sealbench.datasets.video import SUFFIXES
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.schema.records import Case
from sealbench.reports.schema.tables import SCORES

DISTORTED = "distorted-photographs"


@dataclass(frozen=True)
class QualityTask:
    """See `sealbench.bench.tasks.protocol.Task`; Inputs and Outputs are those of `sealbench.bench.tasks.frame_set`."""

    suites: tuple[str, ...] = ()
    takes_attacks: bool = False
    takes_preprocess: bool = False

    def default_datasets(self, card: Card) -> tuple[str, ...]:
        """Photographs, distorted in steps."""
        return (DISTORTED,)

    def gives(self, card: Card) -> str:
        """Of the networks that end in AggregationNet scores, of the others features."""
        return "scores" if "aggregation" in as_quality(card).parts else "features"

    def check_dataset(self, dataset: str) -> str | None:
        """Bundled, a folder of pictures, or a video file."""
        path = Path(dataset)
        if dataset == DISTORTED or path.is_dir() or (path.is_file() and path.suffix.lower() in SUFFIXES):
            return None
        return f"neither a folder, nor a video ({' '.join(SUFFIXES)}), nor a known dataset; known: {DISTORTED}"

    def has_plain(self, dataset: str) -> bool:
        """No suite of this task asks for images without a watermark."""
        return False

    def read(self, dataset: str, group: Group, count: int, rate: float) -> list[Sample]:
        """Frames of 1920 x 1080."""
        return read_frames(dataset, frame_size(), count, rate)

    def prepare(self, dataset: str, samples: Sequence[Sample], group: Group, model: Model, first: int) -> FrameSet:
        """The frames, and what a file takes of each when it is asked for."""
        from sealbench.converters.families.uvq_model import UvqModel

        assert isinstance(model, UvqModel)
        return frame_set(dataset, samples, model.inputs)

    def attacked(self, inputs: FrameSet, attack: str, group: Group) -> FrameSet:
        """Never asked for: the frames are distorted already."""
        raise NotImplementedError

    def resized(self, inputs: FrameSet, preprocess: str, group: Group) -> FrameSet:
        """Never asked for: the frames have one size before anything is measured."""
        raise NotImplementedError

    def reference(self, group: Group, model: Model, threads: int) -> Session:
        """The network with the pixels last, as its file has them."""
        from sealbench.converters.export.uvq import file_module
        from sealbench.converters.families.uvq_model import UvqModel

        assert isinstance(model, UvqModel)
        return backend_of(REFERENCE_BACKEND).open(file_module(model.network), threads)

    def check_signature(self, path: Path, session: Session, group: Group) -> None:
        """Any file: what it takes and gives was checked when it was made or handed in."""

    def random_inputs(self, group: Group) -> tuple[np.ndarray, ...]:
        """Tensors of the file's shapes."""
        rng = np.random.default_rng(0)
        return tuple(rng.random(shape, dtype=np.float32) for shape in input_shapes(as_quality(group.variant)))

    def outputs(self, inputs: FrameSet, found: Sequence[Arrays], reference: Sequence[Arrays]) -> Outputs:
        """Of each frame what the metrics need."""
        return compare([output for output, *_ in found], [output for output, *_ in reference])

    def append(
        self, run: RunDirectory, case: Case, labels: FrameLabels, attack: str, outputs: Outputs, reference: Outputs
    ) -> None:
        """Rows of samples/scores.csv."""
        from sealbench.bench.tasks.score_rows import score_rows

        run.append_rows(SCORES, score_rows(case, labels, outputs))

    def load(self, run_dir: Path) -> Any:
        """See `sealbench.reports.run.samples.load_samples` of SCORES."""
        from sealbench.reports.run.samples import load_samples

        return load_samples(run_dir, SCORES)

    def recorded(self, samples: Any, case: Case, labels: FrameLabels, attack: str) -> Outputs | None:
        """See `sealbench.bench.tasks.score_rows.recorded_outputs`."""
        from sealbench.bench.tasks.score_rows import recorded_outputs

        return recorded_outputs(samples, case, labels)


TASK = QualityTask()
