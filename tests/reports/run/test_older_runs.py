"""A run of an earlier version, without the column `preprocess`, is opened as one that resized as upstream does."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sealbench.reports.compare.changes import Status, compare
from sealbench.reports.compare.history import history, load_runs
from sealbench.reports.errors import ReportError
from sealbench.reports.run.baselines import find_run, save_baseline
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.run.loaded_run import load_run
from sealbench.reports.run.reader import is_run, load_plan, load_results
from sealbench.reports.run.samples import load_samples
from sealbench.reports.run.worst_images import write_worst_images
from sealbench.reports.schema.records import UPSTREAM
from sealbench.reports.schema.tables import BITS, PLAN, RESULTS, WORST_IMAGES
from tests.reports.saved_runs import ENVIRONMENT, INT8, bits_of, run_of_bits, saved_run
from tests.reports.synthetic import healthy_rows, plan_of

RIGHT = np.random.default_rng(3).random((6, 32)) < 0.9
BEFORE = {
    RESULTS: "run_id,variant,weights,precision,image_size,mode,backend,threads,dataset,attack,metric,value,unit,ci_low,"
    "ci_high,n,rewrites",
    PLAN: "variant,weights,precision,image_size,mode,backend,threads,rewrites,dataset,attack,metric",
    BITS: "variant,precision,backend,attack,sample,bit,message,reference_logit,logit,image_size,rewrites",
    WORST_IMAGES: "variant,precision,backend,image_size,rewrites,attack,rank,sample,flips,negative_flips,wrong_bits,"
    "logits_rmse,message,attack_seed",
}


def made_older(path: Path) -> Path:
    """Takes the column out of every table, as the earlier version wrote them."""
    for table, header in BEFORE.items():
        file = path / table
        rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8"))))
        place = rows[0].index("preprocess")
        lines = [",".join([*row[:place], *row[place + 1 :]]) for row in rows]
        assert lines[0] == header
        file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


@pytest.fixture
def older(tmp_path: Path) -> Path:
    path = run_of_bits(tmp_path / "older", RIGHT).path
    write_worst_images(path)
    return made_older(path)


def test_every_table_is_read_with_upstreams_resize(older: Path, tmp_path: Path) -> None:
    present = run_of_bits(tmp_path / "present", RIGHT)
    assert is_run(older)
    assert load_results(older) == list(present.measurements)
    assert load_plan(older) == load_plan(present.path)
    pd.testing.assert_frame_equal(load_samples(older, BITS), present.bits)
    assert {cells["preprocess"] for _, cells in WORST_IMAGES.read(older)} == {UPSTREAM}


def test_compare_and_history_open_it(older: Path, tmp_path: Path) -> None:
    after = RIGHT.copy()
    after[:, :8] = False
    present = run_of_bits(tmp_path / "present", after)
    changes = {change.metric: change for change in compare(load_run(older), present)}
    assert changes.keys() == {"bit_accuracy", "bit_agreement", "word_accuracy", "logits_mae"}
    assert changes["bit_accuracy"].evidence == "paired"
    assert changes["bit_accuracy"].status is Status.WORSE
    runs, notes = load_runs([older, saved_run(tmp_path / "later", healthy_rows())])
    assert notes == []
    points = [point for point in history(runs) if point.metric == "bit_accuracy" and point.case == INT8]
    assert [point.segment for point in points] == [0, 0]


def test_a_baseline_of_it_is_found_and_kept_again(older: Path, tmp_path: Path) -> None:
    root = tmp_path / "baselines"
    save_baseline(older, "main", root)
    assert find_run("main", root) == root / "main"
    assert load_results(root / "main") == load_results(older)


def test_resumed_it_has_the_column(older: Path) -> None:
    """What is appended has as many cells as what was there."""
    before = load_results(older)
    other = replace(INT8, preprocess="opencv")
    run = RunDirectory.resume(older)
    run.append([replace(before[0], case=other)])
    run.append_rows(BITS, bits_of(RIGHT[:1], other))
    assert [row.case.preprocess for row in load_results(older)] == [*(UPSTREAM for _ in before), "opencv"]
    assert load_samples(older, BITS)["preprocess"].value_counts().to_dict() == {UPSTREAM: 6 * 32, "opencv": 32}


def test_another_column_that_is_missing_is_still_an_error(tmp_path: Path) -> None:
    path = saved_run(tmp_path / "run", healthy_rows(), ENVIRONMENT)
    file = path / RESULTS
    file.write_text(file.read_text(encoding="utf-8").replace(",rewrites,", ","), encoding="utf-8")
    assert not is_run(path)
    with pytest.raises(ReportError, match=r"expected results\.csv with the columns run_id"):
        load_results(path)


def test_two_picture_paths_are_two_cases(tmp_path: Path) -> None:
    rows = [row for row in healthy_rows() if row.case == INT8]
    other = [replace(row, case=replace(row.case, preprocess="app")) for row in rows]
    path = saved_run(tmp_path / "run", [*rows, *other])
    assert load_plan(path) == plan_of([*rows, *other])
    one, both = load_run(saved_run(tmp_path / "one", rows)), load_run(path)
    statuses = {(change.case.preprocess, change.status) for change in compare(one, both)}
    assert statuses == {(UPSTREAM, Status.UNCHANGED), ("app", Status.NEW)}
