"""What is written can be read back, digit by digit, whatever happens to the process."""

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sealbench.reports.errors import ReportError
from sealbench.reports.files import write_atomically
from sealbench.reports.run import directory as run_directory
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.run.reader import load_plan, load_results
from sealbench.reports.run.samples import load_samples
from sealbench.reports.schema.metrics import METRICS
from sealbench.reports.schema.old_names import RENAMED_METRICS
from sealbench.reports.schema.records import Expectation, Measurement, measurement
from sealbench.reports.schema.tables import BITS, DURATIONS, LATENCY, PLAN, RESULTS, SCORES, WORST_IMAGES
from tests.reports.synthetic import NANO, RUN_ID, bit_rows, healthy_rows, plan_of

AWKWARD = [0.1, 1 / 3, 1e-310, 123456789.123456789, float(np.float32(0.1)), -0.0, math.pi * 1e300]


def row_of(value: float, **changes: object) -> Measurement:
    row = measurement(RUN_ID, NANO, "photographs", "none", "bit_agreement", value, 3, ci=(value, value))
    return replace(row, **changes)  # type: ignore[arg-type]


def open_run(path: Path) -> RunDirectory:
    return RunDirectory.open(RUN_ID, path / "run")


def test_measurements_come_back_bit_by_bit(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    rows = [row_of(value) for value in AWKWARD] + [row_of(0.5, ci_low=None, ci_high=None)]
    run.append(rows[:3])
    run.append(rows[3:])
    back = load_results(run.path)
    assert back == rows
    assert [value.value.hex() for value in back] == [value.value.hex() for value in rows]
    assert (run.path / "results.csv").read_text().splitlines()[0] == ",".join(RESULTS.names)


def test_nan_and_infinity_come_back(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    run.append([row_of(math.nan), row_of(math.inf)])
    first, second = load_results(run.path)
    assert math.isnan(first.value)
    assert second.value == math.inf


def test_pandas_reads_the_results(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    run.append(healthy_rows())
    frame = pd.read_csv(run.path / "results.csv", dtype={"image_size": str})
    assert tuple(frame.columns) == RESULTS.names
    assert frame["value"].tolist() == pytest.approx([row.value for row in healthy_rows()], rel=1e-15, abs=0)


def test_bits_come_back_bit_by_bit_also_from_float32(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    logits = np.random.default_rng(0).normal(size=40).astype(np.float32)
    coordinates = ("videoseal", "int8", "litert", "none", "a.png")
    rows = (
        (*coordinates, np.int64(k), np.bool_(k % 2) if k else None, x, np.float64(x) / 3, "256", "none", "upstream")
        for k, x in enumerate(logits)
    )
    run.append_rows(BITS, rows)
    frame = load_samples(run.path, BITS)
    assert tuple(frame.columns) == BITS.names
    assert np.array_equal(frame["reference_logit"].to_numpy(np.float32), logits)
    assert np.array_equal(frame["logit"].to_numpy(), logits.astype(np.float64) / 3)
    assert np.isnan(frame["message"][0])
    assert frame["message"].tolist()[1:] == [k % 2 for k in range(1, 40)]
    assert set(frame["image_size"]) == {"256"}


def test_bit_accuracy_can_be_recomputed_with_pandas_alone(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    rows = bit_rows(images=2)
    run.append_rows(BITS, rows)
    frame = pd.read_csv(run.path / "samples" / "bits.csv")
    known = frame[(frame["variant"] == "videoseal_nano") & (frame["precision"] == "int8")]
    mine = [row for row in rows if row[:2] == ("videoseal_nano", "int8")]
    expected = sum((row[8] > 0) == row[6] for row in mine) / len(mine)  # type: ignore[operator]
    assert ((known["logit"] > 0) == known["message"]).mean() == expected


def test_hostile_sample_names_come_back_on_one_line(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    names = ["NA", "nan", "", 'a,"b".png', "tab\there.png", os.fsdecode(b"\xff\xfe.png"), "=cmd()", "ü.png"]
    head = ("v", "int8", "litert", "none")
    run.append_rows(
        BITS, [(*head, name, 0, None, 1.0, 2.0, "256", "none", "upstream") for name in [*names, "two\nlines"]]
    )
    assert load_samples(run.path, BITS)["sample"].tolist() == [*names, "two\\nlines"]
    assert (run.path / "samples" / "bits.csv").read_bytes().count(b"\n") == len(names) + 2


def test_rows_may_be_mappings_and_wrong_columns_are_refused(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    row = dict(zip(LATENCY.names, ("videoseal", "int8", "256", "litert", 2, 0, 1, 30.25, "none"), strict=True))
    run.append_rows(LATENCY, [dict(reversed(row.items()))])
    assert load_samples(run.path, LATENCY).to_dict("records") == [row]
    with pytest.raises(ReportError, match=r"latency\.csv: found columns .*speed.*expected"):
        run.append_rows(LATENCY, [{**row, "speed": 1}])
    with pytest.raises(ReportError, match=r"bits\.csv: found 3 values, expected 12"):
        run.append_rows(BITS, [("a", "b", "c")])
    assert len(load_samples(run.path, LATENCY)) == 1


def test_large_samples_are_packed_and_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run(tmp_path)
    run.append_rows(BITS, bit_rows(images=1))
    before = load_samples(run.path, BITS)
    monkeypatch.setattr(run_directory, "PLAIN_LIMIT_BYTES", 1000)
    run.finish()
    assert not (run.path / "samples" / "bits.csv").exists()
    assert (run.path / "samples" / "latency.csv").exists()  # small: stays plain
    pd.testing.assert_frame_equal(load_samples(run.path, BITS), before)
    assert len(pd.read_csv(run.path / "samples" / "bits.csv.gz")) == len(before)


def test_a_killed_process_leaves_every_finished_measurement(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from tests.reports.synthetic import RUN_ID, healthy_rows\n"
        "from sealbench.reports.run.directory import RunDirectory\n"
        "run = RunDirectory.open(RUN_ID, sys.argv[1])\n"
        "def rows():\n"
        "    yield from healthy_rows()[:7]\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "run.append(rows())\n"
    )
    root = Path(__file__).parents[3]
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], cwd=root, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert load_results(tmp_path / "run") == healthy_rows()[:7]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    run.append([row_of(0.25), row_of(0.75)])
    run.append_rows(BITS, bit_rows(images=1)[:2])
    for name in ("results.csv", "samples/bits.csv"):
        file = run.path / name
        file.write_bytes(file.read_bytes()[:-9])
    assert load_results(run.path) == [row_of(0.25)]
    assert len(load_samples(run.path, BITS)) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bit_agreement", "bit_agrement", r"results\.csv, row 1: unknown metric 'bit_agrement'"),
        ("0.25", "zero", r"row 1, column value: could not convert"),
        (",2,", ",two,", r"row 1, column threads: invalid literal"),
        ("fraction", "percent", r"row 1: unit of bit_agreement is 'percent', expected 'fraction'"),
        (",none", ",none,none", r"row 1: found (19|20) cells, expected 18"),
    ],
)
def test_a_damaged_row_is_an_error_that_names_it(tmp_path: Path, old: str, new: str, message: str) -> None:
    run = open_run(tmp_path)
    run.append([row_of(0.25)])
    file = run.path / "results.csv"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(ReportError, match=message):
        load_results(run.path)


def test_a_row_without_a_value_is_nan(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    run.append([row_of(0.25, ci_low=None, ci_high=None)])
    file = run.path / "results.csv"
    file.write_text(file.read_text().replace("0.25", ""))
    assert math.isnan(load_results(run.path)[0].value)


def test_rows_of_another_run_or_metric_are_refused(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    with pytest.raises(ReportError, match=r"a measurement of run 'other'"):
        run.append([row_of(1.0, run_id="other")])
    with pytest.raises(ReportError, match="unknown metric"):
        run.append([row_of(1.0, metric="charm")])
    assert load_results(run.path) == []


def test_plan_and_environment_come_back(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    assert load_plan(run.path) is None
    plan = [*plan_of(healthy_rows()), Expectation(NANO, 'my "own", folder', "jpeg:50", "psnr_db")]
    run.write_plan(plan)
    run.write_environment({"threads": 2, "folder": Path("/data")})
    assert load_plan(run.path) == plan
    assert json.loads((run.path / "environment.json").read_text()) == {"threads": 2, "folder": "/data"}


def test_the_default_folder_has_a_latest_link(tmp_path: Path) -> None:
    RunDirectory.open("first", root=tmp_path)
    second = RunDirectory.open("second", root=tmp_path)
    assert (tmp_path / "latest").resolve() == second.path.resolve()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "latest", "second"]


def test_a_given_folder_makes_no_link_and_invents_a_run_id(tmp_path: Path) -> None:
    run = RunDirectory.open(run_dir=tmp_path / "deep" / "run")
    assert run.run_id
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["run"]


@pytest.mark.parametrize("run_id", ["../escape", "a/b", "latest", "", ".hidden"])
def test_a_run_id_cannot_leave_its_folder(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(ReportError, match="run id"):
        RunDirectory.open(run_id, root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_run_is_begun_anew_and_other_files_stay(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    run.append([row_of(0.25)])
    run.write_plan([])
    (run.path / "summary.md").write_text("old")
    (run.path / "plots" / "mine.png").write_bytes(b"mine")
    (run.path / "notes.txt").write_text("mine")
    again = open_run(tmp_path)
    assert load_results(again.path) == []
    assert load_plan(again.path) is None
    assert not (again.path / "summary.md").exists()
    assert (again.path / "notes.txt").read_text() == "mine"
    assert (again.path / "plots" / "mine.png").exists()


def test_a_folder_of_something_else_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("someone,else\n1,2\n")
    with pytest.raises(ReportError, match=rf"{tmp_path} is not empty and holds no run"):
        RunDirectory.open(RUN_ID, tmp_path)
    assert (tmp_path / "results.csv").read_text() == "someone,else\n1,2\n"
    with pytest.raises(ReportError, match="is no run directory"):
        load_results(tmp_path)


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(ReportError, match=f"{file} is not a folder"):
        RunDirectory.open(RUN_ID, file)
    with pytest.raises(ReportError, match=rf"cannot use {file / 'below'}: Not a directory"):
        RunDirectory.open(RUN_ID, file / "below")
    with pytest.raises(ReportError, match="/proc/nothing"):
        RunDirectory.open(RUN_ID, "/proc/nothing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_one_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ReportError, match=f"cannot use {tmp_path / 'run'}: Permission denied"):
        open_run(tmp_path)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = write_atomically(tmp_path / "summary.csv", "old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(ReportError, match=rf"cannot write {target}: No space left on device"):
        write_atomically(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["summary.csv"]


def test_the_gates_are_kept_with_the_run(tmp_path: Path) -> None:
    gates = tmp_path / "mine.toml"
    gates.write_text("# mine\n")
    run = open_run(tmp_path)
    run.keep_gates(gates)
    assert (run.path / "gates.toml").read_text() == "# mine\n"
    with pytest.raises(ReportError, match=r"none\.toml"):
        run.keep_gates(tmp_path / "none.toml")


def test_a_run_of_an_earlier_version_is_read_under_the_present_names(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    unit = {"unit": "count", "ci_low": None, "ci_high": None}
    rows = [row_of(3.0, metric=name, **unit) for name in ("negative_flips", "positive_flips", "neutral_flips")]
    run.append(rows)
    run.write_plan(plan_of(rows))
    WORST_IMAGES.write(run.path, [range(len(WORST_IMAGES.columns))])
    for table in (RESULTS, PLAN, WORST_IMAGES):
        file = run.path / table
        old = file.read_text().replace("negative_flips", "harmful_flips").replace("positive_flips", "healing_flips")
        assert "harmful_flips" in old
        file.write_text(old)
    assert load_results(run.path) == rows
    assert load_plan(run.path) == plan_of(rows)
    ((number, cells),) = WORST_IMAGES.read(run.path)
    assert (number, cells["negative_flips"]) == (1, str(WORST_IMAGES.names.index("negative_flips")))
    resumed = RunDirectory.resume(run.path)
    resumed.keep_measurements(lambda row: row.metric != "neutral_flips")
    assert load_results(run.path) == rows[:2]
    assert "harmful_flips" not in (run.path / RESULTS).read_text()
    assert set(RENAMED_METRICS.values()) <= set(METRICS)
    assert not set(RENAMED_METRICS) & set(METRICS)


def test_a_resumed_run_drops_rows_and_keeps_the_digits_of_the_others(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    run.append_rows(BITS, bit_rows(images=1))
    before = (run.path / BITS).read_text().splitlines()
    run.keep_samples(BITS, lambda number, row: row["precision"] == "int8")
    assert (run.path / BITS).read_text().splitlines() == [before[0], *(x for x in before if ",int8,litert," in x)]
    run.keep_samples(SCORES, lambda number, row: False)  # a run without quality models has no such table
    assert not (run.path / SCORES).exists()
    with pytest.raises(ReportError, match=r"scores\.csv: found 1 values, expected 16"):
        run.append_rows(SCORES, [("a",)])


def test_a_resumed_run_without_a_table_begins_it(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    run.append([row_of(0.25)])
    (run.path / DURATIONS).unlink()
    resumed = RunDirectory.resume(run.path)
    resumed.append_rows(DURATIONS, [("videoseal", "size", "int8", 0, 0.5)])
    assert [cells["seconds"] for _, cells in DURATIONS.read(run.path)] == ["0.5"]
