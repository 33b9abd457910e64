"""`sealbench compare`: what it prints, writes, refuses, and how it ends."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from sealbench.bench.commands import main as sealbench
from sealbench.reports.compare.changes import Change, Status, compare
from sealbench.reports.compare.files import compare_runs, write_comparison
from sealbench.reports.compare.plot import compare_figure
from sealbench.reports.compare.tables import (
    COMPARE_COLUMNS,
    change_text,
    compare_console,
    compare_csv,
    compare_markdown,
)
from sealbench.reports.gates.judge import load_gates
from sealbench.reports.run.loaded_run import load_run
from sealbench.reports.schema.records import Measurement
from tests.reports.saved_runs import ENVIRONMENT, INT8, saved_run
from tests.reports.synthetic import altered, healthy_rows, without


def main(arguments: list[str]) -> int:
    return sealbench(["compare", *arguments])


LATER = "20250202-030405-000006"
HOSTILE = '<img src=x onerror="x()">|`[a](b)'


def worse_rows() -> list[Measurement]:
    rows = altered(healthy_rows(), "videoseal_nano", "int8", "size_reduction_pct", value=71.0)
    rows = altered(rows, "videoseal_nano", "fp16", "size_bytes", value=5e6)
    return without(rows, "videoseal", "int8", "bit_agreement")


@pytest.fixture
def runs(tmp_path: Path) -> tuple[str, str]:
    later = {**ENVIRONMENT, "packages": {"ai-edge-litert": "2.4.0", "torch": "2.13.0"}}
    before = saved_run(tmp_path / "before", healthy_rows())
    after = saved_run(tmp_path / "after", worse_rows(), later, run_id=LATER)
    return str(before), str(after)


def test_a_worse_value_that_a_gate_judges_ends_with_1(
    runs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*runs]) == 1
    printed = capsys.readouterr().out
    head, *lines = printed.splitlines()
    assert head == f"{LATER} against 20250102-030405-000006: WORSE: 1 gated value is worse (size_reduction_pct)."
    assert max(map(len, lines[:-1])) <= 100
    (row,) = [line for line in lines if line.startswith("worse")]
    assert row.split() == ["worse", "videoseal_nano", "256", "int8", "size_reduction_pct", "72.0", "%", "71.0", "%",
                           "-1.05", "points"]  # fmt: skip
    assert any(line.split()[:4] == ["better", "videoseal_nano", "256", "fp16"] for line in lines)
    assert "1 worse, 1 better, 1 missing" in printed
    assert lines[-1] == "differs: packages, ai-edge-litert: 2.3.0 -> 2.4.0"
    assert not list(tmp_path.rglob("compare.*"))  # nothing is written unless asked for


def test_nothing_worse_ends_with_0(runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([runs[0], runs[0]]) == 0
    assert "Nothing is worse." in capsys.readouterr().out
    assert main([runs[1], runs[0]]) == 0  # what became smaller again is worse, and no gate judges it
    assert "1 value is worse that no gate judges; no other is." in capsys.readouterr().out


def test_gates_decide_what_fails(runs: tuple[str, str], tmp_path: Path) -> None:
    gates = tmp_path / "gates.toml"
    gates.write_text('[[gate]]\nmetric = "nan_count"\nop = "<="\nlimit = 0\nreason = "r"\n')
    assert main([*runs, "--gates", str(gates)]) == 0
    (Path(runs[1]) / "gates.toml").write_bytes(gates.read_bytes())
    assert main([*runs]) == 0  # those of the later run


def test_files(runs: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([*runs, "--out", str(out)]) == 1
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == [
        "compare.csv", "compare.html", "compare.md", "plots/compare.png",
    ]  # fmt: skip
    with (out / "compare.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COMPARE_COLUMNS
    assert len(rows) == len(healthy_rows())
    (row,) = [row for row in rows if row["status"] == "worse"]
    assert (row["metric"], row["precision"], float(row["before"]), row["after"], row["gated"], row["evidence"]) == (
        "size_reduction_pct", "int8", pytest.approx(72.045855), "71.0", "1", "exact",
    )  # fmt: skip
    page = (out / "compare.html").read_text()
    assert "http" not in re.sub(r"base64,[^\"]*", "", page)  # nothing is loaded from elsewhere
    assert 'src="data:image/png;base64,' in page
    first = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    main([*runs, "--out", str(out)])
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == first


def test_a_picture_of_an_earlier_comparison_does_not_stay(runs: tuple[str, str], tmp_path: Path) -> None:
    write_comparison(compare_runs(Path(runs[0]), Path(runs[1]), ()), tmp_path)
    assert (tmp_path / "plots" / "compare.png").is_file()
    write_comparison(compare_runs(Path(runs[0]), Path(runs[0]), ()), tmp_path)
    assert not (tmp_path / "plots" / "compare.png").exists()


def test_names_are_escaped(tmp_path: Path) -> None:
    rows = [replace(row, dataset=HOSTILE) if row.dataset else row for row in healthy_rows()]
    after = altered(rows, "videoseal_nano", "int8", "nan_count", value=2.0)
    environment = {**ENVIRONMENT, "git_commit": HOSTILE}
    before = saved_run(tmp_path / "before", rows)
    later = saved_run(tmp_path / "after", after, environment)
    comparison = compare_runs(before, later, load_gates())
    write_comparison(comparison, tmp_path)
    page, text = (tmp_path / "compare.html").read_text(), (tmp_path / "compare.md").read_text()
    for written in (page, text):
        assert "nan_count" in written
        assert "<img src=x" not in written
        assert "&lt;img src=x" in written
    (line,) = [line for line in text.splitlines() if "| nan_count |" in line]
    assert len(re.findall(r"(?<!\\)\|", line)) == 8  # the bar of the name ends no cell


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({**ENVIRONMENT, "weights": {"videoseal_nano": {"kind": "seeded", "fingerprint": "e" * 64}}}, "weights of"),
        ({**ENVIRONMENT, "samples": {"videoseal_nano": 24}}, "samples of videoseal_nano differ: found 6 and 24"),
    ],
)
def test_runs_that_cannot_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], environment: dict[str, object], message: str
) -> None:
    before = saved_run(tmp_path / "before", healthy_rows())
    after = saved_run(tmp_path / "after", healthy_rows(), environment)
    assert main([str(before), str(after), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {before} and {after} cannot be compared: ")
    assert message in error
    assert not (tmp_path / "out").exists()


def test_folders_that_are_no_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = saved_run(tmp_path / "run", healthy_rows())
    assert main([str(run), str(tmp_path)]) == 2
    assert "is neither a baseline nor the folder of a run" in capsys.readouterr().err
    (run / "environment.json").write_text("[]")
    assert main([str(run), str(run)]) == 2
    assert "environment.json: found list, expected an object" in capsys.readouterr().err
    (run / "environment.json").write_text("{")
    assert main([str(run), str(run)]) == 2
    assert "is no JSON" in capsys.readouterr().err
    (run / "environment.json").unlink()
    assert main([str(run), str(run)]) == 2
    assert "it names the weights, images and machine of the run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("metric", "change", "low", "high", "ratio", "text"),
    [
        ("bit_accuracy", -0.005, -0.0071, -0.0031, False, "-0.5 points [-0.71, -0.31]"),
        ("latency_ms", 1.25, 1.2, 1.31, True, "+25 % [+20, +31]"),
        ("size_bytes", 130000.0, None, None, False, "+130000 bytes"),
        ("nan_count", 2.0, None, None, False, "+2"),
        ("size_reduction_pct", -0.21, None, None, False, "-0.21 points"),
        ("logits_mae", 0.413, 0.371, 0.46, False, "+0.413 logit [+0.371, +0.46]"),
    ],
)
def test_changes_for_people(
    metric: str, change: float, low: float | None, high: float | None, ratio: bool, text: str
) -> None:
    row = Change(Status.WORSE, INT8, "", "none", metric, 1.0, 2.0, change, low, high, ratio)
    assert change_text(row) == text


def test_more_rows_than_are_shown_are_counted(runs: tuple[str, str]) -> None:
    row = Change(Status.WORSE, INT8, "", "none", "nan_count", 0.0, 2.0, 2.0, evidence="exact")
    before = load_run(Path(runs[0]))
    text = compare_markdown(before, before, [row] * 45, [])
    assert text.count("| worse |") == 40
    assert "5 more rows are in compare.csv" in text
    assert "5 more rows are in compare.csv" in compare_console([row] * 45)
    assert len(list(csv.reader(io.StringIO(compare_csv([row] * 45))))) == 46


def test_the_picture_shows_each_change_in_percent_of_the_earlier_value(runs: tuple[str, str]) -> None:
    changes = compare(load_run(Path(runs[0])), load_run(Path(runs[1])))
    figure = compare_figure(changes)
    assert figure is not None
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["videoseal_nano 256 int8: size_reduction_pct", "videoseal_nano 256 fp16: size_bytes"]
    drawn = [line.get_xdata()[0] for line in axes.get_lines() if line.get_marker() in {"v", "^"}]  # type: ignore[index]
    assert drawn == pytest.approx([100 * (71.0 / 72.045855 - 1), 100 * (5 / 5.72 - 1)])
    assert compare_figure(compare(load_run(Path(runs[0])), load_run(Path(runs[0])))) is None
