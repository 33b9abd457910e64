"""What stands in examples/ runs, is short, and gives what its text says."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sealbench.converters.tflite.model_file import ModelReader, mapped
from tests.bench.main_job import ROOT, MainJob, main_job

EXAMPLES = ROOT / "examples"


OPTIONS = ("--precision", "float32,int8", "--samples", "4", "-k", "size or outputs or fidelity")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> MainJob:
    """The factory's network and its two files."""
    model = str(EXAMPLES / "small_classifier.py:small_classifier")
    return main_job(tmp_path_factory.mktemp("examples") / "run", "--model", model, *OPTIONS)


def rows(job: MainJob, variant: str, name: str = "results.csv") -> list[dict[str, str]]:
    with (job.run_dir / name).open() as file:
        return [row for row in csv.DictReader(file) if row["variant"] == variant]


def test_they_are_short() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in EXAMPLES.iterdir() if path.is_file()}
    assert len(lengths) == 3
    assert max(lengths.values()) <= 40


@pytest.mark.convert
@pytest.mark.main_job
def test_a_factory(job: MainJob) -> None:
    assert job.code == 0, job.output[-3000:]
    found = {(row["precision"], row["metric"]): row for row in rows(job, "small_classifier")}
    assert {row["weights"] for row in found.values()} == {"own"}
    assert found["int8", "output_cosine"]["dataset"] == "factory"
    assert float(found["float32", "output_mae"]["value"]) < 1e-6 < float(found["int8", "output_mae"]["value"]) < 1e-2
    assert 0.99 < float(found["int8", "output_cosine"]["value"]) < float(found["float32", "output_cosine"]["value"])
    assert float(found["int8", "top1_agreement"]["value"]) >= 0.75
    samples = [row for row in rows(job, "small_classifier", "samples/outputs.csv") if row["precision"] == "int8"]
    assert [row["sample"] for row in samples] == [f"factory/{number}" for number in range(8, 12)]
    largest = max(float(row["error_max"]) for row in samples)
    assert found["int8", "output_max_abs"]["value"] == str(largest)
    assert {path.name for path in job.files} >= {"small_classifier_32.tflite", "small_classifier_32_int8.tflite"}


@pytest.mark.convert
@pytest.mark.main_job
@pytest.mark.long
def test_a_card(tmp_path: Path) -> None:
    job = main_job(tmp_path / "run", "--card", str(EXAMPLES / "tiny_seal.toml"), *OPTIONS)
    assert job.code == 0, job.output[-3000:]
    found = {(row["precision"], row["metric"]): row for row in rows(job, "tiny_seal")}
    assert {row["weights"] for row in found.values()} == {"seeded"}
    assert float(found["float32", "bit_agreement"]["value"]) == 1
    assert float(found["int8", "size_bytes"]["value"]) < 0.5 * float(found["float32", "size_bytes"]["value"])
    assert "tiny_seal 32 (seeded)" in job.output


def compared(run_dir: Path, new: Path, old: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the script as it stands, with the command of this environment."""
    script = [str(EXAMPLES / "compare_files.sh"), str(new), str(old), "--run-dir", str(run_dir), *arguments]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.convert
@pytest.mark.main_job
def test_a_file_against_a_file(job: MainJob, tmp_path: Path) -> None:
    files = {path.name: path for path in job.files}
    new, old = files["small_classifier_32_int8.tflite"], files["small_classifier_32.tflite"]
    done = compared(tmp_path / "run", new, old, "--samples", "3")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    table = MainJob(tmp_path / "run", 0, done.stdout)
    found = {row["metric"]: row for row in rows(table, "small_classifier_32_int8")}
    assert {(row["precision"], row["weights"], row["backend"]) for row in found.values()} == {("int8", "own", "litert")}
    assert found["output_cosine"]["dataset"] == "random"
    assert 0.99 < float(found["output_cosine"]["value"]) < 1
    assert float(found["unmatched_weight_pct"]["value"]) == 0
    ratio = 1 - new.stat().st_size / old.stat().st_size
    assert float(found["size_reduction_pct"]["value"]) == pytest.approx(100 * ratio)


@pytest.mark.convert
@pytest.mark.main_job
@pytest.mark.long
def test_a_broken_file_against_a_file(job: MainJob, tmp_path: Path) -> None:
    """The largest weights are zero, as after a download that left a gap."""
    files = {path.name: path for path in job.files}
    path = files["small_classifier_32_int8.tflite"]
    content = bytearray(path.read_bytes())
    with mapped(path) as source:
        largest = max(ModelReader(path, source).weights(), key=lambda constant: constant.stored_bytes)
    content[largest.offset : largest.offset + largest.stored_bytes] = bytes(largest.stored_bytes)
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(content)
    done = compared(tmp_path / "run", broken, files["small_classifier_32.tflite"])
    assert done.returncode == 1, done.stdout[-3000:]
    verdicts = rows(MainJob(tmp_path / "run", 1, ""), "broken", "verdicts.csv")
    assert "unmatched_weight_pct" in {row["metric"] for row in verdicts if row["verdict"] == "FAIL"}
