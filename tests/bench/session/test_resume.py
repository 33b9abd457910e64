"""Resuming a run that was killed: nothing is lost, nothing is measured twice, nothing is mixed up."""

import csv
import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sealbench.bench.errors import OptionError
from sealbench.bench.session.resume import SAME, PlannedTest, commits, finished_tests, resume
from sealbench.bench.tasks.tensor_rows import output_rows
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.run.reader import load_results
from sealbench.reports.schema.records import Case, Expectation, Measurement, measurement
from sealbench.reports.schema.tables import OUTPUT_SUMS, OUTPUTS
from tests.bench.main_job import ROOT, bench_command, main_job

CASE = Case("videoseal_nano", "bundled", "int8", "256", "simple", "litert", 2)
OPTIONS = ("--variant", "videoseal_nano", "--precision", "float32,int8", "--samples", "12", "-k", "not latency",
           "--attacks", "crop:0.9,flip")  # fmt: skip


def planned(test: str, *metrics: str, timed: bool = False) -> PlannedTest:
    return PlannedTest(test, timed, "group", tuple(Expectation(CASE, "", "none", metric) for metric in metrics))


def row(metric: str) -> Measurement:
    return measurement("run", CASE, "", "none", metric, 1.0, 1, None)


def test_a_test_is_finished_when_all_that_was_expected_of_it_is_there() -> None:
    tests = [planned("size", "size_bytes", "size_reduction_pct"), planned("convert", "converted")]
    assert finished_tests(tests, [row("size_bytes"), row("converted")]) == {"convert"}


def test_latencies_of_a_group_are_finished_together_or_not_at_all() -> None:
    tests = [
        planned("latency", "latency_ms", timed=True),
        planned("speedup", "speedup_vs_torch", timed=True),
        planned("absolute", timed=True),
    ]
    assert finished_tests(tests, [row("latency_ms")]) == set()
    assert finished_tests(tests, [row("latency_ms"), row("speedup_vs_torch")]) == {"latency", "speedup", "absolute"}


ENVIRONMENT = {**dict.fromkeys(SAME, "the same"), "git_commit": "a" * 40}


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """A run that has measured one of two values."""
    run = RunDirectory.open("run", tmp_path / "run")
    run.write_environment(ENVIRONMENT)
    run.append([row("size_bytes")])
    return run.path


@pytest.mark.parametrize("name", ["weights", "cpu_model", "packages", "preprocessing"])
def test_a_run_of_other_inputs_is_not_resumed(interrupted: Path, name: str) -> None:
    tests = [planned("size", "size_bytes")]
    with pytest.raises(OptionError, match=f"was measured with other {name} .found the same, now another."):
        resume(interrupted, tests, {**ENVIRONMENT, name: "another"})
    environment = {**ENVIRONMENT, "git_commit": "b" * 40, "packages": {"torch": "2", "numpy": "1"}}
    (interrupted / "environment.json").write_text(json.dumps(environment))
    with pytest.raises(OptionError, match=r"other packages .found {'torch': '2'}, now {'torch': '3'}."):
        resume(interrupted, tests, {**environment, "packages": {"torch": "3", "numpy": "1"}})
    resume(interrupted, tests, environment)
    assert len(load_results(interrupted)) == 1


def test_a_narrower_run_does_not_take_what_was_measured(interrupted: Path) -> None:
    with pytest.raises(OptionError, match="has 1 values that are not asked for now, size_bytes of int8 among them"):
        resume(interrupted, [planned("convert", "converted")], ENVIRONMENT)
    assert len(load_results(interrupted)) == 1


def test_all_commits_of_a_resumed_run_are_recorded(interrupted: Path) -> None:
    assert commits(interrupted, "a" * 40) == "a" * 40
    assert commits(interrupted, "b" * 40) == f"{'a' * 40}, {'b' * 40}"
    assert commits(interrupted, None) == "a" * 40


NET = [replace(CASE, variant="net", precision=precision) for precision in ("float32", "int8")]


def net_outputs(run: RunDirectory, case: Case, *samples: str, dataset: str = "random") -> None:
    run.append_rows(OUTPUTS, output_rows(case, dataset, samples, np.zeros((len(samples), 1, len(OUTPUT_SUMS)))))


def planned_nets() -> list[PlannedTest]:
    return [PlannedTest(c.precision, False, "g", (Expectation(c, "random", "none", "output_mae"),)) for c in NET]


def kept_samples(folder: Path) -> list[tuple[str, str]]:
    return [(row["precision"], row["sample"]) for _, row in OUTPUTS.read(folder)]


@pytest.fixture
def begun(interrupted: Path) -> RunDirectory:
    """A run that has measured nothing yet."""
    run = RunDirectory.resume(interrupted)
    run.keep_measurements(lambda row: False)
    return run


def test_outputs_are_kept_by_case_and_part_but_for_those_that_were_being_written(begun: RunDirectory) -> None:
    """No test has finished: what was written of the first part stays, of the second what was before the last file."""
    float32, int8 = NET
    for samples in (("a", "b"), ("c", "d")):
        net_outputs(begun, float32, *samples)
        net_outputs(begun, int8, *samples[: 2 if samples[0] == "a" else 1])
    resume(begun.path, planned_nets(), ENVIRONMENT)
    assert kept_samples(begun.path) == [
        ("float32", "random/a"), ("float32", "random/b"), ("int8", "random/a"), ("int8", "random/b"),
        ("float32", "random/c"), ("float32", "random/d"),
    ]  # fmt: skip


def test_the_last_outputs_are_kept_where_their_test_has_finished(begun: RunDirectory) -> None:
    for case in NET:
        net_outputs(begun, case, "a")
    begun.append([measurement(begun.run_id, NET[1], "random", "none", "output_mae", 0.0, 1, None)])
    resume(begun.path, planned_nets(), ENVIRONMENT)
    assert kept_samples(begun.path) == [("float32", "random/a"), ("int8", "random/a")]


def test_outputs_that_nothing_asks_for_are_dropped_and_those_of_the_reference_kept(begun: RunDirectory) -> None:
    torch = replace(NET[0], backend="torch")
    for dataset in ("random", "other"):
        net_outputs(begun, torch, "a", dataset=dataset)
        net_outputs(begun, NET[1], "a", dataset=dataset)
    net_outputs(begun, NET[0], "a")  # the last
    resume(begun.path, planned_nets(), ENVIRONMENT)
    assert [(row["backend"], row["sample"]) for _, row in OUTPUTS.read(begun.path)] == [
        ("torch", "random/a"), (NET[1].backend, "random/a"),
    ]  # fmt: skip


def rows(path: Path) -> list[list[str]]:
    """Of a CSV all but its first column (the name of the run, or the variant), in an order of their own."""
    with path.open() as file:
        return sorted(row[1:] for row in csv.reader(file))


@pytest.mark.long
@pytest.mark.convert
@pytest.mark.main_job
@pytest.mark.parametrize(
    ("table", "text"), [("results.csv", ",crop:0.9,"), ("samples/bits.csv", ",int8,")], ids=["tests", "pictures"]
)
def test_a_killed_run_is_resumed(tmp_path: Path, table: str, text: str) -> None:
    """Killed while tests record, and while the pictures are shown."""
    whole = main_job(tmp_path / "whole", *OPTIONS)
    assert whole.code == 0, whole.output[-3000:]

    killed = tmp_path / "killed"
    process = subprocess.Popen(
        bench_command(killed, *OPTIONS), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(killed / table, text, process)
    process.kill()
    process.wait()
    done = len(rows(killed / "results.csv"))
    assert not (killed / "summary.md").exists()

    for different, what in ((("--samples", "5"), "data"), (("--attacks", "jpeg:60"), "attacks")):
        other = main_job(killed, *OPTIONS, *different, "--resume")
        assert other.code == 4
        assert f"was measured with other {what}" in other.output
    assert len(rows(killed / "results.csv")) == done  # a run that cannot be resumed is left as it is

    resumed = main_job(killed, *OPTIONS, "--resume")
    assert resumed.code == 0, resumed.output[-3000:]
    assert "deselected" in resumed.output
    assert "videoseal_nano 256 int8*: size " in resumed.output  # measured before it was killed
    for name in ("results.csv", "samples/bits.csv"):
        assert rows(killed / name) == rows(whole.run_dir / name), name


def wait_for(path: Path, text: str, process: subprocess.Popen[bytes], seconds: float = 300) -> None:
    """Until `text` is in the file that a running process writes."""
    deadline = time.monotonic() + seconds
    while not (path.exists() and text in path.read_text()):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, f"{path} never had {text!r}"
        time.sleep(0.02)
