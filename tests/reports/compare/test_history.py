"""Headline metrics over many runs."""

import csv
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sealbench.bench.commands import main as sealbench
from sealbench.reports.compare.history import Point, history, load_runs
from sealbench.reports.compare.history_files import HISTORY_COLUMNS, history_csv, history_figure
from tests.reports.saved_runs import ENVIRONMENT, saved_run
from tests.reports.synthetic import NANO, altered, healthy_rows


def main(arguments: list[str]) -> int:
    return sealbench(["history", *arguments])


def run_at(folder: Path, hour: int, size: float = 3.17e6, **environment: Any) -> Path:
    rows = altered(healthy_rows(), "videoseal_nano", "int8", "size_bytes", value=size)
    time = {"time": f"2026-03-01T{hour:02d}:00:00+00:00"}
    return saved_run(folder / f"run{hour}", rows, {**ENVIRONMENT, **time, **environment}, run_id=f"run-{hour}")


def line_of(points: tuple[Point, ...], metric: str) -> list[Point]:
    case = replace(NANO, precision="int8")
    return [point for point in points if point.case == case and point.metric == metric]


def test_runs_are_in_order_of_time_whatever_their_folders_are_called(tmp_path: Path) -> None:
    folders = [run_at(tmp_path, 9, 3.2e6), run_at(tmp_path, 8, 3.1e6), run_at(tmp_path, 10, 3.3e6)]
    runs, notes = load_runs(folders)
    assert notes == []
    line = line_of(history(runs), "size_bytes")
    assert [(point.run, point.run_id, point.value) for point in line] == [
        (0, "run-8", 3.1e6), (1, "run-9", 3.2e6), (2, "run-10", 3.3e6),
    ]  # fmt: skip
    assert line[0].time == datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert {point.segment for point in line} == {0}


def test_a_run_that_says_no_time_is_placed_by_its_name(tmp_path: Path) -> None:
    named = saved_run(tmp_path / "named", healthy_rows(), run_id="20250102-030405-000006")
    nameless = saved_run(tmp_path / "nameless", healthy_rows(), run_id="mine")
    runs, notes = load_runs([nameless, named])
    assert [run.run_id for run in runs] == ["20250102-030405-000006"]
    assert len(notes) == 1
    assert "neither environment.json nor the run's name says when it began" in notes[0]


def test_foreign_damaged_and_unfinished_folders_are_named_and_skipped(tmp_path: Path) -> None:
    good = run_at(tmp_path, 8)
    (tmp_path / "foreign").mkdir()
    half = run_at(tmp_path, 9)
    lines = (half / "results.csv").read_text().splitlines(keepends=True)
    (half / "results.csv").write_text("".join(lines[: len(lines) // 2]))
    damaged = run_at(tmp_path, 10)
    (damaged / "environment.json").write_text("{")
    planless = run_at(tmp_path, 11)
    (planless / "plan.csv").unlink()
    (tmp_path / "latest").symlink_to(good)
    folders = [good, tmp_path / "foreign", half, damaged, planless, tmp_path / "latest", tmp_path / "nowhere"]
    runs, notes = load_runs(folders)
    assert [run.run_id for run in runs] == ["run-8"]  # once, though it is linked as well
    for name, message in (
        ("foreign", "is no run directory"),
        ("run9", "promised measurements are missing"),
        ("run10", "is no JSON"),
        ("run11", "no plan.csv"),
        ("nowhere", "is no run directory"),
    ):
        (note,) = [note for note in notes if f"/{name}" in note.partition(" ")[2].split(":")[0].split(" ")[0]]
        assert message in note


def test_a_line_breaks_where_it_cannot_be_compared(tmp_path: Path) -> None:
    weights = {"videoseal_nano": {"kind": "file", "fingerprint": "e" * 64}}
    folders = [run_at(tmp_path, 8), run_at(tmp_path, 9, cpu="Model A"), run_at(tmp_path, 10, cpu="Model A")]
    folders.append(run_at(tmp_path, 11, cpu="Model A", weights=weights))
    points = history(load_runs(folders)[0])
    assert [point.segment for point in line_of(points, "latency_ms")] == [0, 1, 1, 2]
    assert [point.segment for point in line_of(points, "bit_accuracy")] == [0, 0, 0, 1]


def test_other_weights_of_another_variant_break_nothing(tmp_path: Path) -> None:
    other = {**ENVIRONMENT["weights"], "videoseal": {"kind": "file", "fingerprint": "e" * 64}}
    points = history(load_runs([run_at(tmp_path, 8), run_at(tmp_path, 9, weights=other)])[0])
    assert [point.segment for point in line_of(points, "bit_accuracy")] == [0, 0]
    assert {point.segment for point in points if point.case.variant == "videoseal"} == {0, 1}


def test_what_means_nothing_has_no_line(tmp_path: Path) -> None:
    points = history(load_runs([run_at(tmp_path, 8)])[0])
    assert "bit_agreement" in {point.metric for point in points if point.case.weights == "seeded"}
    assert "bit_accuracy" not in {point.metric for point in points if point.case.weights == "seeded"}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [run_at(tmp_path, 8), run_at(tmp_path, 9, 3.3e6)]
    out = tmp_path / "out"
    assert main([*map(str, folders), str(tmp_path / "nowhere"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert f"note: skipped: {tmp_path / 'nowhere'} is no run directory" in printed
    assert max(len(line) for line in printed.splitlines() if line.startswith("videoseal")) <= 100
    (row,) = [
        line.split() for line in printed.splitlines() if " int8 " in line and "size_bytes" in line and "nano" in line
    ]
    assert row[-5:] == ["2", "3.2", "MB", "3.3", "MB"]
    assert sorted(path.name for path in out.iterdir()) == ["history.csv", "history.html", "history.png"]
    with (out / "history.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == HISTORY_COLUMNS
    sizes = [row["value"] for row in rows if (row["variant"], row["precision"], row["metric"]) == (
        "videoseal_nano", "int8", "size_bytes")]  # fmt: skip
    assert sizes == ["3170000.0", "3300000.0"]
    page = (out / "history.html").read_text()
    assert "3.3 MB" in page
    assert 'src="http' not in page


def test_no_run_at_all_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), str(tmp_path / "x")]) == 2
    assert "none of 2 folders holds a finished run" in capsys.readouterr().err


def test_names_are_escaped(tmp_path: Path) -> None:
    hostile = "<script>x()</script>"
    rows = [replace(row, dataset=hostile) if row.dataset else row for row in healthy_rows()]
    saved_run(tmp_path / "run", rows, {**ENVIRONMENT, "git_commit": hostile})
    assert main([str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "history.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_picture_has_a_line_for_each_segment_and_nothing_without_runs(tmp_path: Path) -> None:
    folders = [run_at(tmp_path, 8), run_at(tmp_path, 9), run_at(tmp_path, 10, cpu="Model A")]
    points = history(load_runs(folders)[0])
    figure = history_figure(points)
    assert figure is not None
    size, latency, accuracy = figure.axes[:3]
    assert (size.get_ylabel(), latency.get_ylabel(), accuracy.get_ylabel()) == (
        r"size_bytes, MB", "latency_ms, ms", "bit_accuracy, %",
    )  # fmt: skip
    assert len(size.get_lines()) == 4  # precisions
    assert len(latency.get_lines()) == 2 * 5  # and PyTorch, each broken once
    assert history_figure(()) is None
    assert history_csv(()).splitlines() == [",".join(HISTORY_COLUMNS)]
