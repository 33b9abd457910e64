"""The task of any model: its inputs, what is kept of its outputs, and how an interrupted run finds it again."""

from pathlib import Path

import numpy as np
import pytest

from sealbench.bench.targets import Group
from sealbench.bench.tasks.join import joined
from sealbench.bench.tasks.tensor import TASK
from sealbench.bench.tasks.tensor_rows import output_rows, recorded_sums
from sealbench.converters.cards.module import ModuleCard
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.families import family_of
from sealbench.datasets.arrays import random_arrays
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.images import write_png
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.run.samples import load_samples
from sealbench.reports.schema.records import Case
from sealbench.reports.schema.tables import OUTPUTS
from sealbench.reports.statistics.outputs import cosine

CASE = Case("net", "own", "int8", "8x12", "simple", "litert", 2)


def group_of(*inputs: tuple[int, ...], outputs: tuple[tuple[int, ...], ...] = ((1, 4),)) -> Group:
    card = ModuleCard("net", "models.py:net", "tensor", inputs, outputs, False, "0" * 64, "1" * 64)
    return Group(card, Weights("own", None, "1" * 64), family_of(card).default_size(card))


@pytest.mark.parametrize(
    ("outputs", "gives"),
    [(((1, 4),), "vectors"), (((1, 1), (1, 2, 3)), "vectors"), (((1, 1), (1,)), "values"), (((),), "values")],
)
def test_choices_are_asked_only_of_models_that_make_them(outputs: tuple[tuple[int, ...], ...], gives: str) -> None:
    assert TASK.gives(group_of((1, 2), outputs=outputs).variant) == gives


@pytest.mark.parametrize("shape", [(1, 3, 8, 12), (1, 8, 12, 3)])
def test_pictures_of_a_folder_in_the_layout_of_the_model(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    write_png(tmp_path / "photo.png", pixels)
    (sample,) = TASK.read(str(tmp_path), group_of(shape), 4, 1.0)
    (array,) = sample.arrays
    assert (sample.id, array.shape, array.dtype) == ("photo.png", shape, np.float32)
    last = array[0].transpose(1, 2, 0) if shape[1] == 3 else array[0]
    assert (last * 255).round().astype(int).tolist() == pixels.tolist()


@pytest.mark.parametrize("inputs", [[(1, 16)], [(1, 1, 8, 12)], [(1, 3, 8, 12), (1, 4)]])
def test_a_folder_is_refused_where_a_model_takes_no_picture(tmp_path: Path, inputs: list[tuple[int, ...]]) -> None:
    with pytest.raises(DatasetError, match=r"is for models that take one picture of 3 channels; net takes .*npz"):
        TASK.read(str(tmp_path), group_of(*inputs), 4, 1.0)


def test_datasets_by_name(tmp_path: Path) -> None:
    group = group_of((1, 5))
    assert TASK.default_datasets(group.variant) == ("random",)
    assert len(TASK.read("random", group, 3, 1.0)) == 3
    with pytest.raises(DatasetError, match=r"net: brings no dataset; expected random, a folder or an \.npz file"):
        TASK.read("factory", group, 3, 1.0)
    np.savez(tmp_path / "inputs.npz", np.ones((2, 5), np.float32))
    assert [sample.arrays[0].tolist() for sample in TASK.read(str(tmp_path / "inputs.npz"), group, 1, 1.0)] == [
        [[1] * 5]
    ]
    assert "known: random, factory" in str(TASK.check_dataset("photographs"))
    for known in ("random", "factory", str(tmp_path), str(tmp_path / "inputs.npz")):
        assert TASK.check_dataset(known) is None


def test_what_is_kept_is_found_again_to_the_last_digit(tmp_path: Path) -> None:
    sums = np.random.default_rng(0).random((3, 2, 10))
    run = RunDirectory.open(run_dir=tmp_path)
    run.append_rows(OUTPUTS, output_rows(CASE, "random", "abc", sums))
    rows = load_samples(tmp_path, OUTPUTS)
    found = recorded_sums(rows, CASE, "random", "abc")
    assert found is not None
    assert found.tolist() == sums.tolist()
    for lost in (rows.iloc[:-1], rows.iloc[:0]):
        assert recorded_sums(lost, CASE, "random", "abc") is None
    assert recorded_sums(rows, CASE, "other", "abc") is None


def test_a_broken_output_of_several_is_seen() -> None:
    """Of two outputs the second is another for one input."""
    samples = random_arrays(((1, 5),), 3, seed=1)
    inputs = TASK.prepare("random", samples, group_of((1, 5)), None, 0)  # type: ignore[arg-type]
    assert inputs.labels.ids == ("0", "1", "2")
    reference = [(inputs.arrays(index)[0] * 1000, inputs.arrays(index)[0]) for index in range(len(inputs))]
    broken = [*reference[:2], (reference[2][0], -reference[2][1])]
    assert cosine(TASK.outputs(inputs, broken, reference).sums) == pytest.approx(1 / 3, abs=0.2)
    assert cosine(TASK.outputs(inputs, reference, reference).sums) == 1


def test_parts_are_joined() -> None:
    samples, group = random_arrays(((1, 5),), 3, seed=1), group_of((1, 5))
    parts = [TASK.prepare("random", part, group, None, 0) for part in (samples[:2], samples[2:])]  # type: ignore[arg-type]
    whole = TASK.prepare("random", samples, group, None, 0)  # type: ignore[arg-type]
    assert joined([part.labels for part in parts]).ids == whole.labels.ids
    arrays = [[(part.arrays(index)[0],) for index in range(len(part))] for part in (*parts, whole)]
    *kept, expected = [TASK.outputs(whole, found, found).sums for found in arrays]
    assert np.concatenate(kept).tolist() == expected.tolist()
