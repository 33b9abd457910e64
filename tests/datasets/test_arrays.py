from pathlib import Path

import numpy as np
import pytest

from sealbench.datasets.arrays import npz_arrays, random_arrays
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.sample import fingerprint

SHAPES = ((1, 2, 3), (1, 4))


def write(path: Path, *arrays: np.ndarray) -> Path:
    np.savez(path, *arrays)
    return path


def test_random_values_depend_on_their_number_and_seed_alone() -> None:
    few, many = random_arrays(SHAPES, 2, seed=1), random_arrays(SHAPES, 3, seed=1)
    assert [tuple(array.shape for array in sample.arrays) for sample in many] == [SHAPES] * 3
    assert fingerprint(few) == fingerprint(many[:2])
    assert fingerprint(few) != fingerprint(random_arrays(SHAPES, 2, seed=2))
    values = np.concatenate([array.ravel() for sample in many for array in sample.arrays])
    assert values.dtype == np.float32
    assert 0 <= values.min() < 0.2
    assert 0.8 < values.max() < 1
    assert len(set(values.tolist())) == len(values)


def test_a_file_has_an_array_for_each_input(tmp_path: Path) -> None:
    first, second = np.arange(18, dtype=np.float32).reshape(3, 2, 3), np.arange(12, dtype=np.float32).reshape(3, 4)
    samples = npz_arrays(write(tmp_path / "inputs.npz", first, second), SHAPES, limit=2)
    assert [sample.id for sample in samples] == ["0", "1"]
    assert samples[1].arrays[0].tolist() == first[1:2].tolist()
    assert samples[1].arrays[1].tolist() == second[1:2].tolist()


@pytest.mark.parametrize(
    "arrays",
    [
        [np.zeros((3, 2, 3), np.float32)],
        [np.zeros((3, 4), np.float32), np.zeros((3, 2, 3), np.float32)],
        [np.zeros((3, 2, 3), np.float64), np.zeros((3, 4), np.float32)],
        [np.zeros((3, 2, 3), np.float32), np.zeros((2, 4), np.float32)],
        [np.zeros((0, 2, 3), np.float32), np.zeros((0, 4), np.float32)],
        [np.float32(1), np.float32(2)],
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, arrays: list[np.ndarray]) -> None:
    path = write(tmp_path / "inputs.npz", *arrays)
    with pytest.raises(
        DatasetError, match=r"inputs.npz: found arr_0: .*expected as many samples of each of float32 \("
    ):
        npz_arrays(path, SHAPES, limit=4)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = write(tmp_path / "objects.npz", np.array([{"a": 1}], dtype=object))
    with pytest.raises(DatasetError, match=r"cannot be read as \.npz .*allow_pickle"):
        npz_arrays(path, SHAPES, limit=4)
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(DatasetError, match=r"text.npz: cannot be read as .npz"):
        npz_arrays(tmp_path / "text.npz", SHAPES, limit=4)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(DatasetError, match=r"one.npy: cannot be read as .npz"):
        npz_arrays(tmp_path / "one.npy", SHAPES, limit=4)
