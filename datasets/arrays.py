"""Inputs of any model: arrays of a file, or random ones where there is nothing else."""

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealbench.datasets.errors import DatasetError
from sealbench.datasets.sample import check_count

Shapes = Sequence[tuple[int, ...]]
"""Of what a model takes at once, in its order; the first side of each is the batch, 1."""


@dataclass(frozen=True, eq=False)
class ArraySample:
    """What a model takes at once, with what is known about it.

    Attributes:
        id: unique within its dataset; names the rows of the raw results.
        arrays: float32 of the model's shapes, a batch of one each.
        source: samples of one source are not independent: bootstrap intervals resample sources.
        attack: `none`; arrays are not attacked.
    """

    id: str
    arrays: tuple[np.ndarray, ...]
    source: str
    attack: str = "none"

    def parts(self) -> Iterator[bytes]:
        """All that it holds, for a fingerprint."""
        for array in self.arrays:
            yield repr((self.id, self.source, array.shape)).encode()
            yield np.ascontiguousarray(array).tobytes()


def random_arrays(shapes: Shapes, count: int, seed: int) -> list[ArraySample]:
    """Uniform values in [0, 1), where pixels and normalized sound lie: they exercise a model and resemble no data.

    Args:
        shapes: see `Shapes`.
        count: how many samples, at least 1; each depends on its number and the seed alone.
        seed: of the generator.

    Raises:
        DatasetError: none were asked for.
    """
    return [
        ArraySample(str(number), _random(shapes, (seed, number)), str(number)) for number in range(check_count(count))
    ]


def _random(shapes: Shapes, seed: tuple[int, int]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return tuple(rng.random(shape, dtype=np.float32) for shape in shapes)


def npz_arrays(path: Path, shapes: Shapes, limit: int) -> list[ArraySample]:
    """The first samples of an .npz file, which has one array for each input of the model, in their order.

    Args:
        path: written by `numpy.savez`; it is read without unpickling.
        shapes: see `Shapes`; of an input (1, ...) the array is (samples, ...).
        limit: at most so many.

    Raises:
        DatasetError: it cannot be read, or has other arrays; the message names what was found and expected.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, TypeError) as error:  # an .npy is no archive
        raise DatasetError(f"{path}: cannot be read as .npz ({error}); write it with numpy.savez") from error
    expected = ", ".join(f"float32 (samples, {', '.join(map(str, shape[1:]))})" for shape in shapes)
    found = ", ".join(f"{name}: {array.dtype} {array.shape}" for name, array in arrays.items())
    lengths = {len(array) if array.ndim else 0 for array in arrays.values()}
    fits = [array.shape[1:] for array in arrays.values()] == [tuple(shape[1:]) for shape in shapes]
    if not fits or len(lengths) != 1 or 0 in lengths or any(array.dtype != np.float32 for array in arrays.values()):
        raise DatasetError(f"{path}: found {found or 'no array'}; expected as many samples of each of {expected}")
    count = min(check_count(limit), *lengths)
    return [
        ArraySample(str(number), tuple(array[number : number + 1] for array in arrays.values()), str(number))
        for number in range(count)
    ]
