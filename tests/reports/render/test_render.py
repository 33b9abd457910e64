"""A saved record can be judged and drawn again, by function and by command, whatever became of the run."""

import subprocess
import sys
from pathlib import Path

import pytest

from sealbench.bench.commands import main as sealbench
from sealbench.reports.gates.judge import load_gates
from sealbench.reports.render.run import render
from sealbench.reports.run.directory import PLOTS, RunDirectory
from sealbench.reports.schema.records import Measurement
from sealbench.reports.schema.tables import BITS
from tests.reports.render.conftest import SharedRun
from tests.reports.synthetic import RUN_ID, altered, bit_rows, healthy_rows, plan_of, without


def main(arguments: list[str]) -> int:
    return sealbench(["report", *arguments])


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch, shared_run: SharedRun) -> None:
    """Draw nothing: pictures have their own tests, and the shared run has all of them."""
    monkeypatch.setattr("sealbench.reports.render.run.compose", lambda *_: ({}, []))


def saved(path: Path, rows: list[Measurement]) -> Path:
    run = RunDirectory.open(RUN_ID, path / "run")
    run.write_plan(plan_of(healthy_rows()))
    run.append(rows)
    run.append_rows(BITS, bit_rows(images=1))
    return run.path


def test_a_healthy_run_gives_every_file(shared_run: SharedRun) -> None:
    rendered = shared_run.rendered
    assert (rendered.exit_code, rendered.notes) == (0, ())
    assert all(file.is_file() for file in rendered.files)
    assert [file.name for file in rendered.files[:3]] == ["verdicts.csv", "summary.csv", "summary.md"]
    assert rendered.page == rendered.files[3] == shared_run.folder / "report.html"
    assert len(rendered.files) == 4 + len(PLOTS)
    assert len(rendered.frame) == 7


def test_a_record_that_is_rendered_again_gives_the_same_files(tmp_path: Path) -> None:
    run = saved(tmp_path, healthy_rows())
    first = {file: file.read_bytes() for file in render(run, load_gates()).files}
    assert {file: file.read_bytes() for file in render(run, load_gates()).files} == first


def test_a_run_that_died_half_way_fails_and_says_so(tmp_path: Path) -> None:
    rows = healthy_rows()
    run = saved(tmp_path, rows[: len(rows) // 2])
    with (run / "results.csv").open("a") as stream:
        stream.write("20250102-030405-000006,videoseal,see")  # cut off in the middle of a row
    rendered = render(run, load_gates())
    assert rendered.exit_code == 1
    assert "promised measurements are missing" in rendered.notes[0]
    page = (run / "summary.md").read_text()
    assert "**FAIL:" in page
    assert "the run did not finish" in page


def test_a_run_that_died_before_its_plan_is_never_a_pass(tmp_path: Path) -> None:
    run = saved(tmp_path, healthy_rows())
    (run / "plan.csv").unlink()
    assert render(run, load_gates()).exit_code == 10
    assert "plan.csv is missing" in (run / "summary.md").read_text()
    assert render(run, []).exit_code == 0  # no gates were asked: only shown


def test_a_run_without_a_measurement_is_11_without_a_plan_and_1_with_one(tmp_path: Path) -> None:
    run = saved(tmp_path, [])
    assert render(run, load_gates()).exit_code == 1
    (run / "plan.csv").unlink()
    assert render(run, load_gates()).exit_code == 11


def test_damaged_samples_do_not_hide_the_verdicts(tmp_path: Path) -> None:
    run = saved(tmp_path, healthy_rows())
    (run / "samples" / "bits.csv").write_text("what,is,this\n1,2,3\n")
    rendered = render(run, load_gates())
    assert rendered.exit_code == 0
    assert "the samples cannot be read" in rendered.notes[0]
    assert "the samples cannot be read" in (run / "summary.md").read_text()
    (run / "samples" / "bits.csv").unlink()
    (run / "samples" / "bits.csv.gz").write_bytes(b"no gzip")
    assert "bits.csv" in render(run, load_gates()).notes[0]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (healthy_rows(), 0),
        (altered(healthy_rows(), "videoseal", "int8", "bit_agreement", value=float("nan")), 1),
        (without(healthy_rows(), "videoseal", "int8", "bit_agreement"), 1),
        (altered(healthy_rows(), "videoseal", "int8", "speedup_vs_torch", ci_low=1.0, ci_high=9.0), 10),
    ],
)
def test_the_command_ends_with_the_gates_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[Measurement], code: int
) -> None:
    run = saved(tmp_path, rows)
    assert main([str(run)]) == code
    assert f"report: {run / 'report.html'}" in capsys.readouterr().out


def test_the_command_judges_by_given_gates_then_kept_ones_then_the_built_in(tmp_path: Path) -> None:
    run = saved(tmp_path, healthy_rows())
    strict, kind = tmp_path / "strict.toml", tmp_path / "kind.toml"
    text = '[[gate]]\nmetric = "size_bytes"\nop = "<"\nlimit = {}\nreason = "r"\n'
    strict.write_text(text.format("1"))
    kind.write_text(text.format("1e12"))
    assert main([str(run), "--gates", str(strict)]) == 1
    assert main([str(run)]) == 0
    RunDirectory(run, RUN_ID).keep_gates(strict)
    assert main([str(run)]) == 1
    assert main([str(run), "--gates", str(kind)]) == 0


def test_bad_arguments_are_one_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'nowhere'} is no run directory")
    run = saved(tmp_path, healthy_rows())
    assert main([str(run), "--gates", str(tmp_path / "none.toml")]) == 2
    assert "none.toml" in capsys.readouterr().err
    assert not (run / "verdicts.csv").exists()


def test_the_module_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sealbench", "report", str(tmp_path)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
