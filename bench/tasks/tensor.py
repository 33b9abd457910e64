"""Any model: how far each of its outputs is from the reference's. It knows nothing of what they mean."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sealbench.bench.backends.registry import backend_of
from sealbench.bench.backends.runners import to_unit_range
from sealbench.bench.targets import Group, Target, dataset_name
from sealbench.bench.tasks.protocol import Run
from sealbench.converters.cards.card import Card
from sealbench.converters.cards.module import ModuleCard
from sealbench.converters.families import Model, family_of
from sealbench.converters.families.module import as_module, picture_size
from sealbench.datasets.arrays import ArraySample, npz_arrays, random_arrays
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.folder import folder_samples
from sealbench.datasets.images import resize
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.schema.records import Case
from sealbench.reports.schema.tables import OUTPUTS
from sealbench.reports.statistics.outputs import output_sums

RANDOM, FACTORY = "random", "factory"
_SEED = 1
_CHANNELS = 3


@dataclass(frozen=True, eq=False)
class InputSet:
    """The inputs of one dataset.

    Attributes:
        name: the dataset, as in the column `dataset` of every table.
        samples: what the model takes, one by one.
    """

    name: str
    samples: tuple[ArraySample, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """What each sample is of."""
        return tuple(sample.source for sample in self.samples)


@dataclass(frozen=True, eq=False)
class Outputs:
    """The outputs of a model compared with the reference's.

    Attributes:
        sums: (samples, outputs, len(OUTPUT_SUMS)) float64.
        raw: the outputs themselves, of the reference alone; None where an earlier run recorded them.
    """

    sums: np.ndarray
    raw: tuple[tuple[np.ndarray, ...], ...] | None


@dataclass(frozen=True)
class TensorTask:
    """See `sealbench.bench.tasks.protocol.Task`; Inputs are an `InputSet`, Outputs those of this module."""

    suites: tuple[str, ...] = ()
    takes_attacks: bool = False

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

    def prepare(self, dataset: str, samples: list[ArraySample], group: Group, model: Model) -> InputSet:
        """The samples as they are."""
        return InputSet(dataset_name(dataset), tuple(samples))

    def attacked(self, inputs: InputSet, attack: str, group: Group) -> InputSet:
        """Never asked for."""
        raise NotImplementedError

    def reference(self, group: Group, model: Model, threads: int) -> Run:
        """The module as it is."""
        return backend_of("torch").open(model.network, threads)

    def runner(self, path: Path, target: Target) -> Run:
        """Any file: what it takes and gives was checked when it was made or handed in."""
        return backend_of(target.backend).open(path, target.threads)

    def random_inputs(self, group: Group) -> tuple[np.ndarray, ...]:
        """Tensors of the model's shapes."""
        (sample,) = random_arrays(family_of(group.variant).inputs(group.variant, group.size), 1, _SEED)
        return sample.arrays

    def run(self, run: Run, inputs: InputSet, reference: Outputs | None) -> Outputs:
        """Runs sample by sample, and keeps of each output what the metrics need."""
        found = tuple(tuple(run(*sample.arrays)) for sample in inputs.samples)
        if reference is None:
            return Outputs(_compared(found, found), found)
        assert reference.raw is not None
        return Outputs(_compared(found, reference.raw), None)

    def comparable(self, outputs: Outputs, make_run: Callable[[], Run], inputs: InputSet) -> Outputs:
        """Outputs may be large and are not recorded: they are computed again."""
        return outputs if outputs.raw is not None else self.run(make_run(), inputs, None)

    def append(self, run: RunDirectory, case: Case, inputs: InputSet, outputs: Outputs, reference: Any) -> None:
        """Rows of samples/outputs.csv."""
        from sealbench.bench.tasks.tensor_rows import output_rows

        run.append_rows(OUTPUTS, output_rows(case, inputs.name, inputs.samples, outputs.sums))

    def load(self, run_dir: Path) -> Any:
        """See `sealbench.reports.run.samples.load_samples` of OUTPUTS."""
        from sealbench.reports.run.samples import load_samples

        return load_samples(run_dir, OUTPUTS)

    def recorded(self, samples: Any, case: Case, inputs: InputSet) -> Outputs | None:
        """See `sealbench.bench.tasks.tensor_rows.recorded_sums`."""
        from sealbench.bench.tasks.tensor_rows import recorded_sums

        sums = recorded_sums(samples, case, inputs.name, inputs.samples)
        return None if sums is None else Outputs(sums, None)


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
        pixels = to_unit_range(resize(image, size.height, size.width))
        return (np.ascontiguousarray(pixels.transpose(2, 0, 1) if channels_first else pixels)[np.newaxis],)

    return [ArraySample(s.id, arrays(s.image), s.source) for s in folder_samples(folder, limit=count)]


def _compared(found: tuple[tuple[np.ndarray, ...], ...], reference: tuple[tuple[np.ndarray, ...], ...]) -> np.ndarray:
    """The sums of each output of each sample, (samples, outputs, len(OUTPUT_SUMS))."""
    return np.array(
        [
            [output_sums(a, b) for a, b in zip(outputs, expected, strict=True)]
            for outputs, expected in zip(found, reference, strict=True)
        ]
    )


TASK = TensorTask()
