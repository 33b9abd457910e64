"""What stands in examples/ runs, is short, and gives what its text says."""

import csv

import pytest

from tests.bench.main_job import ROOT, MainJob, main_job

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> MainJob:
    """Both models in one run: a process that imports the converters is most of the time."""
    options = (
        "--model", str(EXAMPLES / "small_classifier.py:small_classifier"), "--card", str(EXAMPLES / "tiny_seal.toml"),
        "--precision", "float32,int8", "--rewrite", "none", "--samples", "4", "-k", "size or outputs or fidelity",
    )  # fmt: skip
    return main_job(tmp_path_factory.mktemp("examples") / "run", *options)


def rows(job: MainJob, variant: str, name: str = "results.csv") -> list[dict[str, str]]:
    with (job.run_dir / name).open() as file:
        return [row for row in csv.DictReader(file) if row["variant"] == variant]


def test_they_are_short() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in EXAMPLES.iterdir() if path.is_file()}
    assert len(lengths) >= 2
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
def test_a_card(job: MainJob) -> None:
    found = {(row["precision"], row["metric"]): row for row in rows(job, "tiny_seal")}
    assert {row["weights"] for row in found.values()} == {"seeded"}
    assert float(found["float32", "bit_agreement"]["value"]) == 1
    assert float(found["int8", "size_bytes"]["value"]) < 0.5 * float(found["float32", "size_bytes"]["value"])
    assert "tiny_seal 32 (seeded)" in job.output
