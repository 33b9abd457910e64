"""Watermarks: images that carry a message, and the bits that are read of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sealbench.bench.backends.runners import FileRunner, TorchRunner
from sealbench.bench.targets import Group, Target
from sealbench.bench.tasks.image_set import ImageSet, Outputs
from sealbench.bench.tasks.protocol import Run
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

    def prepare(self, dataset: str, samples: list[Sample], group: Group, model: Model) -> ImageSet:
        """See `sealbench.bench.tasks.images.prepare`."""
        from sealbench.bench.tasks.images import prepare
        from sealbench.converters.families.watermark_model import LazyModel

        assert isinstance(model, LazyModel)
        return prepare(dataset, samples, group, model.watermarker)

    def attacked(self, inputs: ImageSet, attack: str, group: Group) -> ImageSet:
        """See `sealbench.bench.tasks.images.attacked`."""
        from sealbench.bench.tasks.images import attacked

        return attacked(inputs, attack, group)

    def reference(self, group: Group, model: Model, threads: int) -> Run:
        """The detector; the whole Watermarker resizes its images before it, as a file of that mode does."""
        from sealbench.converters.families.watermark_model import LazyModel

        assert isinstance(model, LazyModel)
        module = model.watermarker() if group.mode == "resize" else model.detector
        return TorchRunner(module, (group.size.height, group.size.width), as_variant(group.variant).nbits, threads)

    def runner(self, path: Path, target: Target) -> Run:
        """A detector's file."""
        return FileRunner(path, target.threads, as_variant(target.variant).nbits, target.backend)

    def random_inputs(self, group: Group) -> tuple[np.ndarray, ...]:
        """One image (H, W, 3)."""
        return (np.random.default_rng(0).random((group.size.height, group.size.width, 3), dtype=np.float32),)

    def run(self, run: Run, inputs: ImageSet, reference: Outputs | None) -> Outputs:
        """Logits of the watermarked and of the plain images."""
        return Outputs(
            watermarked=np.stack([run(image) for image in inputs.watermarked]),
            plain=None if inputs.plain is None else np.stack([run(image) for image in inputs.plain]),
        )

    def comparable(self, outputs: Outputs, make_run: Callable[[], Run], inputs: ImageSet) -> Outputs:
        """They always are."""
        return outputs

    def append(self, run: RunDirectory, case: Case, inputs: ImageSet, outputs: Outputs, reference: Any) -> None:
        """Rows of samples/bits.csv."""
        from sealbench.bench.tasks.bit_rows import bit_rows

        run.append_rows(BITS, bit_rows(case, inputs, outputs, reference))

    def load(self, run_dir: Path) -> Any:
        """See `sealbench.reports.run.samples.load_samples` of BITS."""
        from sealbench.reports.run.samples import load_samples

        return load_samples(run_dir, BITS)

    def recorded(self, samples: Any, case: Case, inputs: ImageSet) -> Outputs | None:
        """See `sealbench.bench.tasks.bit_rows.recorded_outputs`."""
        from sealbench.bench.tasks.bit_rows import recorded_outputs

        return recorded_outputs(samples, case, inputs)


TASK = WatermarkTask()
