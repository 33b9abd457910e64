"""The main job with baselines, JUnit XML, a CI's summary and pytest-benchmark's file, end to end."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sealbench.reports.run.baselines import DEFAULT_BASELINES
from sealbench.reports.run.reader import load_images, load_results
from sealbench.reports.statistics.picture_sums import STATISTICS
from tests.bench.main_job import ROOT, MainJob, main_job

pytestmark = [pytest.mark.convert, pytest.mark.main_job, pytest.mark.long]

NANO = ("--variant", "videoseal_nano", "--samples", "12")
NAME = f"test-{os.getpid()}"
# Kind to any file, so that it is the comparison alone which fails a run.
KIND_GATES = '[[gate]]\nmetric = "size_reduction_pct"\nop = ">="\nlimit = 0\nreason = "any file passes"\n'


@dataclass(frozen=True)
class First:
    """The run that the others are held against, with what it left."""

    job: MainJob
    junit: Path
    step_summary: Path


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[First]:
    folder = tmp_path_factory.mktemp("first")
    junit, step = folder / "junit.xml", folder / "step.md"
    options = ("--precision", "float32,int8", "-k", "size or fidelity or bit_accuracy or flips or confidence")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_STEP_SUMMARY", str(step))
        job = main_job(folder / "run", *NANO, *options, f"--junitxml={junit}", "--save-baseline", NAME)
    yield First(job, junit, step)
    shutil.rmtree(DEFAULT_BASELINES / NAME, ignore_errors=True)
    if DEFAULT_BASELINES.is_dir() and not any(DEFAULT_BASELINES.iterdir()):
        DEFAULT_BASELINES.rmdir()


def again(first: First, run_dir: Path, *options: str) -> MainJob:
    return main_job(run_dir, *NANO, *options)


def statuses(run_dir: Path) -> dict[tuple[str, str], str]:
    """Of each metric of files by precision."""
    with (run_dir / "compare.csv").open(newline="") as stream:
        return {
            (row["precision"], row["metric"]): row["status"]
            for row in csv.DictReader(stream)
            if row["backend"] == "litert"
        }


def test_the_run_is_kept_and_printed(first: First) -> None:
    assert first.job.code == 0, first.job.output[-3000:]
    assert f"baseline {NAME}: run " in first.job.output
    assert load_results(DEFAULT_BASELINES / NAME) == load_results(first.job.run_dir)
    pictures = load_images(first.job.run_dir)
    assert pictures["photographs/astronaut-000"] == "astronaut"
    assert len(pictures) == 12


def test_fingerprints_are_written(first: First) -> None:
    environment = json.loads((first.job.run_dir / "environment.json").read_text())
    assert set(environment["preprocessing"]) == {"videoseal_nano"}
    assert set(environment["recipes"]) == set(environment["artifacts"])
    assert {name.split("-")[2] for name in environment["recipes"]} == {"float32", "int8"}


def test_junit_xml_carries_measurements_and_verdicts(first: First) -> None:
    root = ElementTree.parse(first.junit).getroot()
    cases = {case.get("name", ""): case for case in root.iter("testcase")}
    (name,) = [name for name in cases if name.startswith("test_fidelity[") and "-int8-" in name]
    found = {item.get("name"): item.get("value") for item in cases[name].iter("property")}
    (row,) = [
        row for row in load_results(first.job.run_dir) if (row.metric, row.case.precision) == ("bit_agreement", "int8")
    ]
    assert found["bit_agreement"] == repr(row.value)
    assert found["bit_agreement.unit"] == "fraction"
    assert found["bit_agreement.n"] == "12"
    assert found["bit_agreement.interval"] == f"[{row.ci_low:.6g}, {row.ci_high:.6g}]"
    assert found["bit_agreement >= 0.999"] == "PASS"


def test_the_summary_goes_to_the_ci(first: First) -> None:
    assert first.step_summary.read_text() == (first.job.run_dir / "summary.md").read_text()


def test_the_same_again_has_nothing_but_unchanged_rows(first: First, tmp_path: Path) -> None:
    job = again(first, tmp_path / "run", "--precision", "int8", "-k", "size or fidelity", "--against", NAME)
    assert job.code == 0, job.output[-3000:]
    assert "Nothing is worse." in job.output
    found = statuses(job.run_dir)
    assert {status for (precision, _), status in found.items() if precision == "int8"} == {"unchanged", "missing"}
    assert found["int8", "bit_agreement"] == "unchanged"
    assert found["float32", "bit_agreement"] == "missing"
    assert (job.run_dir / "compare.md").is_file()


def test_a_worse_file_fails_though_every_gate_passes(first: First, tmp_path: Path) -> None:
    """The float32 file is handed in as int8: it is larger, and closer to PyTorch on every picture."""
    (path,) = [path for path in first.job.files if not path.stem.endswith("_int8")]
    gates = tmp_path / "gates.toml"
    gates.write_text(KIND_GATES)
    options = ("--precision", "int8", "--artifact", str(path), "-k", "size or fidelity", "--gates", str(gates))
    job = again(first, tmp_path / "run", *options, "--against", str(first.job.run_dir))
    assert job.code == 1, job.output[-3000:]
    assert "gates: 1 PASS" in job.output
    assert "WORSE: 1 gated value is worse (size_reduction_pct)." in job.output
    found = statuses(job.run_dir)
    assert found["int8", "size_bytes"] == "worse"
    assert found["int8", "logits_mae"] == "better"
    assert found["int8", "bit_agreement"] == "unchanged"


def test_samples_give_every_value_that_is_compared_by_picture(first: First) -> None:
    """What is not recomputed from the samples would quietly lose its pairing."""
    from sealbench.reports.run.loaded_run import load_run
    from sealbench.reports.statistics.picture_sums import bit_sums

    run = load_run(first.job.run_dir)
    seen = set()
    for row in run.measurements:
        if row.metric not in STATISTICS:
            continue
        bits = run.bits[(run.bits["precision"] == row.case.precision) & (run.bits["backend"] == row.case.backend)]
        statistic, sums = STATISTICS[row.metric], bit_sums(bits, run.pictures)
        found = float(statistic.of(*(sums[name].sum() for name in statistic.sums)))
        assert found == pytest.approx(row.value, rel=1e-6, abs=1e-12), row.metric
        seen.add(row.metric)
    assert seen == {name for name in STATISTICS if not name.startswith(("score", "feature"))}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            ("--precision", "int8", "--samples", "5", "--against", NAME),
            "samples of videoseal_nano differ: found 12 and 5",
        ),
        (("--precision", "fp16", "--against", NAME), "holds nothing that this run measures"),
        (("--precision", "int8", "--weights", "seeded", "--against", NAME), "weights of videoseal_nano differ"),
        (("--against", "no-such-baseline"), f"baselines in {DEFAULT_BASELINES}: "),
        (("--save-baseline", "../elsewhere"), "expected a name of at most 64 letters"),
    ],
)
def test_what_cannot_be_compared_is_reported_before_anything_is_measured(
    first: First, tmp_path: Path, options: tuple[str, ...], reason: str
) -> None:
    job = again(first, tmp_path / "run", *options)
    assert job.code == 4, job.output[-3000:]
    assert "Traceback" not in job.output
    assert reason in job.output
    assert not job.run_dir.exists()


def test_the_file_of_pytest_benchmark_can_be_compared_by_it(first: First, tmp_path: Path) -> None:
    report = tmp_path / "benchmark.json"
    job = again(first, tmp_path / "run", "--precision", "int8", "-k", "size or absolute", f"--benchmark-json={report}")
    assert job.code == 0, job.output[-3000:]
    command = [sys.executable, "-m", "pytest_benchmark", "compare", str(report), "--columns=median", "--group-by=group"]
    compared = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert compared.returncode == 0, compared.stderr
    assert "benchmark 'videoseal_nano at 256': 2 tests" in compared.stdout
