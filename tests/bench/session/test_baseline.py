"""A run that is held against a baseline: refused before anything is measured, or judged at its end."""

from dataclasses import replace
from pathlib import Path

import pytest

from sealbench.bench.session.baseline import check_baseline, conclude
from sealbench.reports.errors import ReportError
from sealbench.reports.gates.judge import load_gates
from sealbench.reports.schema.records import Expectation
from tests.reports.saved_runs import ENVIRONMENT, saved_run
from tests.reports.synthetic import altered, healthy_rows, plan_of


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    return saved_run(tmp_path / "baseline", healthy_rows())


@pytest.fixture(autouse=True)
def _baselines_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealbench.reports.run.baselines.save_baseline.__defaults__", (tmp_path / "kept",))


def test_a_baseline_of_the_same_things_is_taken(baseline: Path) -> None:
    check_baseline(baseline, ENVIRONMENT, plan_of(healthy_rows()))
    check_baseline(baseline, {**ENVIRONMENT, "cpu": "Model A"}, plan_of(healthy_rows()[:1]))


def test_other_weights_are_refused(baseline: Path) -> None:
    other = {**ENVIRONMENT, "weights": {"videoseal_nano": {"kind": "file", "fingerprint": "e" * 64}}}
    with pytest.raises(ReportError, match=r"--against .*: cannot be compared with this run: weights of videoseal_nano"):
        check_baseline(baseline, other, plan_of(healthy_rows()))


def test_another_matrix_is_refused_and_both_are_named(baseline: Path) -> None:
    def at_int4(target: Expectation) -> Expectation:
        return target if target.case.is_reference else replace(target, case=replace(target.case, precision="int4"))

    expected = [at_int4(target) for target in plan_of(healthy_rows())]
    lines = r"holds nothing that this run measures: precision: found float32, fp16, int8, int8_weight_only, now int4"
    with pytest.raises(ReportError, match=lines):
        check_baseline(baseline, ENVIRONMENT, expected)


def test_other_threads_are_no_other_matrix(baseline: Path) -> None:
    one = [replace(target, case=replace(target.case, threads=1)) for target in plan_of(healthy_rows())]
    check_baseline(baseline, ENVIRONMENT, one)


def later(tmp_path: Path, **change: float) -> Path:
    rows = altered(healthy_rows(), "videoseal_nano", "int8", "size_reduction_pct", **change)
    return saved_run(tmp_path / "run", rows, run_id="20250202-030405-000006")


def test_a_worse_run_ends_with_1_says_so_and_is_no_baseline(tmp_path: Path, baseline: Path) -> None:
    run = later(tmp_path, value=71.0)
    lines, code = conclude(run, baseline, "main", load_gates(), 0)
    assert code == 1
    assert lines[0] == "against 20250102-030405-000006: WORSE: 1 gated value is worse (size_reduction_pct)."
    assert lines[-1].startswith("baseline main was not saved: the run is worse than")
    assert all((run / name).is_file() for name in ("compare.csv", "compare.md", "compare.html", "plots/compare.png"))
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(("code", "ends"), [(0, 1), (10, 1), (1, 1), (2, 2), (11, 11)])
def test_worse_is_1_unless_the_run_ended_otherwise(tmp_path: Path, baseline: Path, code: int, ends: int) -> None:
    assert conclude(later(tmp_path, value=71.0), baseline, None, load_gates(), code)[1] == ends


def test_a_run_that_is_not_worse_ends_as_it_would_and_is_kept(tmp_path: Path, baseline: Path) -> None:
    lines, code = conclude(later(tmp_path, value=73.0), baseline, "main", load_gates(), 10)
    assert code == 10
    assert lines[0] == "against 20250102-030405-000006: Nothing is worse."
    assert (tmp_path / "kept" / "main" / "results.csv").is_file()


def test_what_was_asked_for_and_could_not_be_done_is_no_success(tmp_path: Path, baseline: Path) -> None:
    run = later(tmp_path, value=73.0)
    (baseline / "environment.json").unlink()
    lines, code = conclude(run, baseline, None, load_gates(), 0)
    assert code == 1
    assert "not compared" in lines[0]
    (run / "plan.csv").unlink()
    lines, code = conclude(run, None, "main", load_gates(), 0)
    assert (code, len(lines)) == (1, 1)
    assert "did not finish" in lines[0]


def test_without_either_nothing_happens(tmp_path: Path) -> None:
    assert conclude(tmp_path, None, None, (), 10) == ([], 10)
