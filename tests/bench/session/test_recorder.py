"""What a test of the bench leaves in JUnit XML."""

from pathlib import Path

import pytest

from sealbench.bench.session.recorder import Recorder
from sealbench.reports.gates.judge import Gate
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.schema.records import Case, Expectation

CASE = Case("videoseal_nano", "bundled", "int8", "256", "simple", "litert", 2)
EXPECTED = [Expectation(CASE, "photographs", "none", name) for name in ("bit_accuracy", "bit_agreement")]
GATES = [
    Gate("bit_accuracy", {}, ">=", 0.99, "one"),
    Gate("bit_accuracy", {"precision": "int8"}, ">=", 0.9, "two"),
    Gate("bit_accuracy", {"precision": "fp16"}, ">=", 0.5, "of another precision"),
    Gate("bit_agreement", {}, ">", 0.99, "three"),
]


def test_properties_are_what_was_measured_and_what_gates_say(tmp_path: Path) -> None:
    recorder = Recorder(RunDirectory.open(run_dir=tmp_path / "run"), GATES, CASE, "photographs", "none", EXPECTED)
    assert dict(recorder.properties()) == {
        "bit_accuracy >= 0.99": "FAIL",  # expected, not measured yet
        "bit_accuracy >= 0.9": "FAIL",
        "bit_agreement > 0.99": "FAIL",
    }
    recorder("bit_accuracy", 0.98125, 24, (0.97, 0.99))
    recorder("bit_agreement", 1.0, 24)
    assert dict(recorder.properties()) == {
        "bit_accuracy": "0.98125",
        "bit_accuracy.unit": "fraction",
        "bit_accuracy.n": 24,
        "bit_accuracy.interval": "[0.97, 0.99]",
        "bit_agreement": "1.0",
        "bit_agreement.unit": "fraction",
        "bit_agreement.n": 24,
        "bit_accuracy >= 0.99": "FAIL",
        "bit_accuracy >= 0.9": "PASS",
        "bit_agreement > 0.99": "PASS",
    }
    assert [failure.gate.limit for failure in recorder.failures()] == [0.99]


def test_a_metric_that_was_not_expected_is_refused(tmp_path: Path) -> None:
    recorder = Recorder(RunDirectory.open(run_dir=tmp_path / "run"), GATES, CASE, "photographs", "none", EXPECTED)
    with pytest.raises(ValueError, match="size_bytes was measured but not expected"):
        recorder("size_bytes", 1, 1)
