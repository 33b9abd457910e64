"""The schema is the contract of docs/data-contract.md, to the letter."""

import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from sealbench.reports.errors import ReportError
from sealbench.reports.schema.metrics import METRICS, reason_not_applicable
from sealbench.reports.schema.records import Case, Expectation, measurement
from sealbench.reports.schema.tables import BITS, LATENCY, RESULTS

CASE = Case("videoseal", "seeded", "int8", "256", "simple", "litert", 2)


def test_the_columns_are_those_of_the_contract() -> None:
    assert ",".join(RESULTS.names) == (
        "run_id,variant,weights,precision,image_size,mode,backend,threads,dataset,attack,"
        "metric,value,unit,ci_low,ci_high,n,rewrites,preprocess"
    )
    assert ",".join(BITS.names) == (
        "variant,precision,backend,attack,sample,bit,message,reference_logit,logit,image_size,rewrites,preprocess"
    )
    assert ",".join(LATENCY.names) == "variant,precision,image_size,backend,threads,round,position,latency_ms,rewrites"


def test_a_measurement_takes_its_unit_from_the_registry_and_keeps_its_case() -> None:
    row = measurement("r", CASE, "photographs", "none", "bit_accuracy_delta", np.float64(-0.25), 9, ci=(-1, 0.5))
    assert (row.unit, row.value, row.ci_low, row.ci_high, row.n) == ("points", -0.25, -1.0, 0.5, 9)
    assert type(row.value) is float
    assert row.case == CASE
    assert row.expectation == Expectation(CASE, "photographs", "none", "bit_accuracy_delta")
    with pytest.raises(FrozenInstanceError):
        row.value = 1.0  # type: ignore[misc]


def test_the_reference_is_pytorch_with_upstreams_resize() -> None:
    """PyTorch after an app's resize is compared with it."""
    reference = replace(CASE, precision="float32", backend="torch")
    assert reference.is_reference
    assert not replace(reference, preprocess="app").is_reference
    assert not CASE.is_reference


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ReportError, match=r"unknown metric 'bit_acuracy'.*bit_accuracy"):
        measurement("r", CASE, "", "none", "bit_acuracy", 1.0, 1)


@pytest.mark.parametrize("value", [None, "fast", [1.0]])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ReportError, match=r"latency_ms of videoseal int8: expected a number"):
        measurement("r", CASE, "", "none", "latency_ms", value, 1)  # type: ignore[arg-type]


def test_nan_is_kept_because_it_is_evidence() -> None:
    assert math.isnan(measurement("r", CASE, "", "none", "latency_ms", float("nan"), 1).value)


@pytest.mark.parametrize(
    "metric",
    [
        "bit_accuracy",
        "bit_accuracy_delta",
        "word_accuracy",
        "detection_confidence",
        "log10_pvalue",
        "tpr_at_fpr_1e-6",
        "false_positive_rate",
        "false_positive_rate_excess",
    ],
)
def test_accuracy_means_nothing_for_seeded_weights_only(metric: str) -> None:
    assert "seeded" in (reason_not_applicable(metric, "seeded") or "")
    assert reason_not_applicable(metric, "bundled") is None
    assert reason_not_applicable(metric, "file") is None


@pytest.mark.parametrize("metric", ["bit_agreement", "size_bytes", "latency_ms", "logits_mae_rel_pct", "nan_count"])
def test_size_latency_and_fidelity_mean_something_for_every_weights(metric: str) -> None:
    assert [reason_not_applicable(metric, weights) for weights in ("seeded", "official", "file")] == [None] * 3


def test_the_confidence_means_nothing_for_official_weights_only() -> None:
    assert "channel 0" in (reason_not_applicable("confidence_delta", "official") or "")
    assert reason_not_applicable("confidence_delta", "seeded") is None


def test_every_metric_is_described() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.unit
        assert metric.description.endswith(".")
