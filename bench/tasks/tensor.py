"""Any model: how far each of its outputs is from the reference's. It knows nothing of what they mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sealbench.bench.backends.protocol import Session
from sealbench.bench.backends.registry import REFERENCE_BACKEND, backend_of
from sealbench.bench.backends.worker.session import WorkerSession
from sealbench.bench.targets import Group, dataset_name
from sealbench.bench.tasks.protocol import Arrays
from sealbench.bench.tasks.reference_file import reference_file_request
from sealbench.converters.cards.card import Card
from sealbench.converters.cards.file import FileCard
from sealbench.converters.cards.module import ModuleCard
from sealbench.converters.families import Model, family_of
from sealbench.converters.families.module import as_module
from sealbench.converters.families.shapes import picture_size
from sealbench.datasets.arrays import ArraySample, npz_arrays, random_arrays
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.folder import folder_samples
from sealbench.datasets.preprocess import PREPROCESSES, UPSTREAM
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.schema.records import RANDOM, Case
from sealbench.reports.schema.tables import OUTPUTS
from sealbench.reports.statistics.outputs import output_sums

FACTORY = "factory"
_SEED = 1
_CHANNELS = 3


@dataclass(frozen=True, eq=False)
class InputLabels:
    """What is known of the inputs of a dataset beside their values.

    Attributes:
        name: the dataset, as in the column `dataset` of every table.
        ids: name of each input, (n,).
        sources: what each input is of, (n,); inputs of one source are one cluster.
    """

    name: str
    ids: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class InputSet:
    """Inputs of one dataset, as a model takes them.

    Attributes:
        labels: what is known of them.
        samples: the inputs, (n,).
    """

    labels: InputLabels
    samples: tuple[ArraySample, ...]

    def __len__(self) -> int:
        """How many a model is shown."""
        return len(self.samples)

    def arrays(self, index: int) -> Arrays:
        """What the model takes of one of them, from 0; float32 of its shapes."""
        return self.samples[index].arrays


@dataclass(frozen=True, eq=False)
class Outputs:
    """The outputs of a model compared with the reference's.

    Attributes:
        sums: (n, outputs, len(OUTPUT_SUMS)) float64.
    """

    sums: np.ndarray


@dataclass(frozen=True)
class TensorTask:
    """See `sealbench.bench.tasks.protocol.Task`; Inputs and Outputs are those of this module."""

    suites: tuple[str, ...] = ()
    takes_attacks: bool = False
    takes_preprocess: bool = False

    def default_datasets(self, card: Card) -> tuple[str, ...]:
        """The factory's own, or random values."""
        return (FACTORY if isinstance(card, ModuleCard) and card.has_dataset else RANDOM,)

    def gives(self, card: Card) -> str:
        """Of models with an output that has several values along its last axis vectors, of the others values."""
        outputs = family_of(card).outputs(card, family_of(card).default_size(card))
        return "vectors" if any(shape and shape[-1] > 1 for shape in outputs) else "values"

    def check_dataset(self, dataset: str) -> str | None:
        """Random, the factory's, a folder of pictures, or an .npz file."""
        path = Path(dataset)
        if dataset in {RANDOM, FACTORY} or path.is_dir() or (path.is_file() and path.suffix == ".npz"):
            return None
        return f"neither a folder of pictures, nor an .npz file, nor a known dataset; known: {RANDOM}, {FACTORY}"

    def has_plain(self, dataset: str) -> bool:
        """No suite of this task asks for images without a watermark."""
        return False

    def read(self, dataset: str, group: Group, count: int, rate: float) -> list[ArraySample]:
        """What the model takes at once, of the dataset.

        Raises:
            DatasetError: the dataset does not fit the model.
        """
        shapes = family_of(group.variant).inputs(group.variant, group.size)
        if dataset == RANDOM:
            return random_arrays(shapes, count, _SEED)
        if dataset == FACTORY:
            if self.default_datasets(group.variant) != (FACTORY,):
                raise DatasetError(
                    f"{group.variant.name}: brings no dataset; expected {RANDOM}, a folder or an .npz file"
                )
            from sealbench.converters.families.module_model import evaluation_samples

            return evaluation_samples(as_module(group.variant), count)
        if Path(dataset).is_file():
            return npz_arrays(Path(dataset), shapes, count)
        return _pictures(dataset, group, shapes, count)

    def prepare(self, dataset: str, samples: Sequence[ArraySample], group: Group, model: Model, first: int) -> InputSet:
        """The samples as they are."""
        ids, sources = tuple(sample.id for sample in samples), tuple(sample.source for sample in samples)
        return InputSet(InputLabels(dataset_name(dataset), ids, sources), tuple(samples))

    def attacked(self, inputs: InputSet, attack: str, group: Group) -> InputSet:
        """Never asked for."""
        raise NotImplementedError

    def resized(self, inputs: InputSet, preprocess: str, group: Group) -> InputSet:
        """Never asked for."""
        raise NotImplementedError

    def reference(self, group: Group, model: Model, threads: int) -> Session:
        """The module as it is, or the reference file in a process of its own."""
        if isinstance(group.variant, FileCard):
            return WorkerSession(reference_file_request(group.variant, threads))
        return backend_of(REFERENCE_BACKEND).open(model.network, threads)

    def check_signature(self, path: Path, session: Session, group: Group) -> None:
        """Any file: what it takes and gives was checked when it was made or handed in."""

    def random_inputs(self, group: Group) -> Arrays:
        """Tensors of the model's shapes."""
        (sample,) = random_arrays(family_of(group.variant).inputs(group.variant, group.size), 1, _SEED)
        return sample.arrays

    def outputs(self, inputs: InputSet, found: Sequence[Arrays], reference: Sequence[Arrays]) -> Outputs:
        """Of each output what the metrics need."""
        return Outputs(
            np.array(
                [
                    [output_sums(a, b) for a, b in zip(outputs, expected, strict=True)]
                    for outputs, expected in zip(found, reference, strict=True)
                ]
            )
        )

    def append(
        self, run: RunDirectory, case: Case, labels: InputLabels, attack: str, outputs: Outputs, reference: Outputs
    ) -> None:
        """Rows of samples/outputs.csv."""
        from sealbench.bench.tasks.tensor_rows import output_rows

        run.append_rows(OUTPUTS, output_rows(case, labels.name, labels.ids, outputs.sums))

    def load(self, run_dir: Path) -> Any:
        """See `sealbench.reports.run.samples.load_samples` of OUTPUTS."""
        from sealbench.reports.run.samples import load_samples

        return load_samples(run_dir, OUTPUTS)

    def recorded(self, samples: Any, case: Case, labels: InputLabels, attack: str) -> Outputs | None:
        """See `sealbench.bench.tasks.tensor_rows.recorded_sums`."""
        from sealbench.bench.tasks.tensor_rows import recorded_sums

        sums = recorded_sums(samples, case, labels.name, labels.ids)
        return None if sums is None else Outputs(sums)


def _pictures(folder: str, group: Group, shapes: tuple[tuple[int, ...], ...], count: int) -> list[ArraySample]:
    """Pictures of a folder at the size and in the layout of the one input, values in [0, 1]."""
    size = picture_size(shapes[0])
    if len(shapes) != 1 or size is None or _CHANNELS not in (shapes[0][1], shapes[0][3]):
        raise DatasetError(
            f"{folder}: a folder of pictures is for models that take one picture of {_CHANNELS} channels; "
            f"{group.variant.name} takes {', '.join(map(str, shapes))}: give an .npz file"
        )
    channels_first = shapes[0][1] == _CHANNELS

    def arrays(image: np.ndarray) -> tuple[np.ndarray]:
        pixels = PREPROCESSES[UPSTREAM](image, size.height, size.width)
        return (np.ascontiguousarray(pixels.transpose(2, 0, 1) if channels_first else pixels)[np.newaxis],)

    return [ArraySample(s.id, arrays(s.image), s.source) for s in folder_samples(folder, limit=count)]


TASK = TensorTask()
