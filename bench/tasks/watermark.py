"""Watermarks: images that carry a message, and the bits that are read of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sealbench.bench.backends.protocol import Session
from sealbench.bench.backends.registry import REFERENCE_BACKEND, backend_of
from sealbench.bench.backends.runners import read_signature
from sealbench.bench.errors import RunnerError
from sealbench.bench.targets import Group
from sealbench.bench.tasks.image_set import ImageLabels, ImageSet, Outputs, outputs_of
from sealbench.bench.tasks.protocol import Arrays
from sealbench.converters.cards.card import Card
from sealbench.converters.families import Model
from sealbench.converters.families.watermark import as_variant
from sealbench.datasets.folder import MANIFEST
from sealbench.datasets.sample import Sample
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.schema.records import Case
from sealbench.reports.schema.tables import BITS

GENERATED_DATASETS = ("photographs", "dead-leaves")


@dataclass(frozen=True)
class WatermarkTask:
    """See `sealbench.bench.tasks.protocol.Task`; Inputs and Outputs are those of `sealbench.bench.tasks.image_set`."""

    suites: tuple[str, ...] = ()
    takes_attacks: bool = True
    takes_preprocess: bool = True

    def default_datasets(self, card: Card) -> tuple[str, ...]:
        """Bundled photographs."""
        return ("photographs",)

    def gives(self, card: Card) -> str:
        """A detection confidence and bit logits."""
        return "bits"

    def check_dataset(self, dataset: str) -> str | None:
        """Bundled, generated, or a folder."""
        known = dataset in GENERATED_DATASETS or Path(dataset).is_dir()
        return None if known else f"neither a folder nor a known dataset; known: {', '.join(GENERATED_DATASETS)}"

    def has_plain(self, dataset: str) -> bool:
        """All but folders of images that came watermarked."""
        return not (Path(dataset) / MANIFEST).exists()

    def read(self, dataset: str, group: Group, count: int, rate: float) -> list[Sample]:
        """See `sealbench.bench.tasks.images.read_samples`."""
        from sealbench.bench.tasks.images import read_samples

        return read_samples(dataset, group, count)

    def prepare(self, dataset: str, samples: Sequence[Sample], group: Group, model: Model, first: int) -> ImageSet:
        """See `sealbench.bench.tasks.images.prepare`."""
        from sealbench.bench.tasks.images import prepare
        from sealbench.converters.families.watermark_model import LazyModel

        assert isinstance(model, LazyModel)
        return prepare(dataset, samples, group, model.watermarker, first)

    def attacked(self, inputs: ImageSet, attack: str, group: Group) -> ImageSet:
        """See `sealbench.bench.tasks.images.attacked`."""
        from sealbench.bench.tasks.images import attacked

        return attacked(inputs, attack, group)

    def resized(self, inputs: ImageSet, preprocess: str, group: Group) -> ImageSet:
        """See `sealbench.bench.tasks.images.resized`."""
        from sealbench.bench.tasks.images import resized

        return resized(inputs, preprocess, group)

    def reference(self, group: Group, model: Model, threads: int) -> Session:
        """The detector; the whole Watermarker resizes its images before it, as a file of that mode does."""
        from sealbench.converters.export.detector import ChannelsLast
        from sealbench.converters.families.watermark_model import LazyModel

        assert isinstance(model, LazyModel)
        module = model.watermarker() if group.mode == "resize" else model.detector
        return backend_of(REFERENCE_BACKEND).open(ChannelsLast(module), threads)

    def check_signature(self, path: Path, session: Session, group: Group) -> None:
        """RunnerError for all but one image of the group's size, and the variant's number of bits."""
        height, width, _ = read_signature(path, session.inputs, session.outputs, as_variant(group.variant).nbits)
        if (height, width) != (group.size.height, group.size.width):
            raise RunnerError(f"{path}: takes images of {height} x {width}; expected {group.size}")

    def random_inputs(self, group: Group) -> tuple[np.ndarray, ...]:
        """One image (1, H, W, 3)."""
        return (np.random.default_rng(0).random((1, group.size.height, group.size.width, 3), dtype=np.float32),)

    def outputs(self, inputs: ImageSet, found: Sequence[Arrays], reference: Sequence[Arrays]) -> Outputs:
        """Logits of the watermarked and of the plain images."""
        return outputs_of(inputs, found)

    def append(
        self, run: RunDirectory, case: Case, labels: ImageLabels, attack: str, outputs: Outputs, reference: Outputs
    ) -> None:
        """Rows of samples/bits.csv."""
        from sealbench.bench.tasks.bit_rows import bit_rows

        run.append_rows(BITS, bit_rows(case, labels, attack, outputs, reference))

    def load(self, run_dir: Path) -> Any:
        """See `sealbench.reports.run.samples.load_samples` of BITS."""
        from sealbench.reports.run.samples import load_samples

        return load_samples(run_dir, BITS)

    def recorded(self, samples: Any, case: Case, labels: ImageLabels, attack: str) -> Outputs | None:
        """See `sealbench.bench.tasks.bit_rows.recorded_outputs`."""
        from sealbench.bench.tasks.bit_rows import recorded_outputs

        return recorded_outputs(samples, case, labels, attack)


TASK = WatermarkTask()
