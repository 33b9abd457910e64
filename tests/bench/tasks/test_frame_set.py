"""Frames and what is kept of the outputs on them: nothing is lost on the way through samples/scores.csv."""

from pathlib import Path

import numpy as np
import pytest

from sealbench.bench.tasks.frame_set import FrameLabels, compare, frame_set, read_frames
from sealbench.bench.tasks.score_rows import recorded_outputs, score_rows
from sealbench.datasets.images import write_png
from sealbench.datasets.sample import Sample
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.run.samples import load_samples
from sealbench.reports.schema.records import Case
from sealbench.reports.schema.tables import SCORES

CASE = Case("uvq1p5_content", "seeded", "int8", "256", "simple", "litert", 2)
FRAMES = FrameLabels("set", ("a-none", "a-jpeg:5"), ("a", "a"), ("none", "jpeg:5"))


def test_sums_of_features() -> None:
    found, reference = [np.array([[1.0, np.nan]]), np.array([[3.0, 4.0]])], [np.array([[1.0, 1.0]])] * 2
    outputs = compare(found, reference)
    assert outputs.column("values").tolist() == [2, 2]
    assert outputs.column("nonfinite").tolist() == [1, 0]
    assert outputs.column("error_ss")[1] == 4 + 9
    assert np.isnan(outputs.column("error_ss")[0])
    assert [outputs.column(name)[1] for name in ("reference_ss", "found_ss", "product")] == [2, 25, 7]
    assert np.isnan(outputs.scores).all()  # features are no scores


def test_a_run_that_is_resumed_has_every_digit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    outputs = compare(list(rng.normal(size=(2, 1, 1))), list(rng.normal(size=(2, 1, 1))))
    run = RunDirectory.open(run_dir=tmp_path / "run")
    assert not (run.path / "samples" / "scores.csv").exists()  # watermarks leave none
    run.append_rows(SCORES, score_rows(CASE, FRAMES, outputs))
    samples = load_samples(RunDirectory.resume(run.path).path, SCORES)
    found = recorded_outputs(samples, CASE, FRAMES)
    assert found is not None
    assert found.scores.tolist() == outputs.scores.tolist()
    assert found.reference_scores.tolist() == outputs.reference_scores.tolist()
    assert found.sums.tolist() == outputs.sums.tolist()
    assert recorded_outputs(samples.iloc[:1], CASE, FRAMES) is None  # broken off: measured again


def test_small_inputs_are_kept_and_large_ones_made_anew() -> None:
    frame = np.zeros((4, 4, 3), np.uint8)
    samples = [Sample("a", frame, None, "evaluation", "a", generated=False)]
    asked: list[int] = []

    def inputs(image: np.ndarray, values: int) -> tuple[np.ndarray, ...]:
        asked.append(values)
        return (np.zeros(values, np.float32),)

    for values, calls in ((4, 1), (400, 2)):
        asked.clear()
        frames = frame_set("set", samples, lambda image, values=values: inputs(image, values))  # type: ignore[misc]
        assert frames.arrays(0)[0].shape == frames.arrays(0)[0].shape == (values,)
        assert len(asked) == calls


def test_pictures_of_a_folder_become_frames(tmp_path: Path) -> None:
    write_png(tmp_path / "picture.png", np.full((30, 40, 3), 99, np.uint8))
    (sample,) = read_frames(str(tmp_path), (18, 32), 5, 1.0)
    assert sample.image.shape == (18, 32, 3)
    assert (sample.image == 99).all()


def test_distorted_photographs_are_frames() -> None:
    samples = read_frames("distorted-photographs", (36, 64), 7, 1.0)
    assert [sample.image.shape for sample in samples] == [(36, 64, 3)] * 7
    assert len({sample.attack for sample in samples}) == 2


@pytest.mark.parametrize("missing", [0, 1])
def test_rows_name_the_step_of_each_frame(missing: int) -> None:
    rows = score_rows(CASE, FRAMES, compare([np.ones(1)] * 2, [np.ones(1)] * 2))
    assert [row[3:5] for row in rows][missing] == (FRAMES.attacks[missing], f"set/{FRAMES.ids[missing]}")
