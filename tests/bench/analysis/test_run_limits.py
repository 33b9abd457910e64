"""The limits that a run would pass: of the worst images, by what each gate is judged by, never tighter than found."""

import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealbench.bench.analysis.run_limits import RunLimit, run_limits, table
from sealbench.reports.gates.judge import OPERATORS, Gate
from sealbench.reports.schema.records import Case, Measurement, measurement

INT8 = Case("videoseal", "official", "int8", "256", "simple", "litert", 2)
PYTORCH = replace(INT8, precision="float32", backend="torch")
Interval = tuple[float, float] | None
GATES = (
    Gate("bit_agreement", {"precision": "int8"}, ">=", 0.98, "why"),
    Gate("logits_mae_rel_pct", {"variant": "videoseal_nano"}, "<", 5, "why"),
    Gate("bit_accuracy_ratio_pct", {}, ">=", 99, "why", "interval"),
)


def row(metric: str, value: float, attack: str = "none", case: Case = INT8, ci: Interval = None) -> Measurement:
    return measurement("run", case, "photographs", attack, metric, value, 24, ci)


def test_the_worst_of_all_images_is_held_against_each_gate() -> None:
    rows = [
        row("bit_agreement", 0.997315),
        row("bit_agreement", 0.9912349, attack="jpeg:50"),
        row("logits_mae_rel_pct", 1.912341),
        row("bit_accuracy_ratio_pct", 100.0, ci=(98.0911, 100.0)),
        row("bit_agreement", 1.0, case=PYTORCH),
        row("psnr_db", 40.0),  # no gate is on it
    ]
    assert run_limits(rows, GATES) == [
        RunLimit("int8", "bit_agreement", "fraction", 0.9912349, ">= 0.98", "PASS", ">= 0.9912"),
        RunLimit("int8", "logits_mae_rel_pct", "%", 1.912341, None, None, "<= 1.913"),
        RunLimit("int8", "bit_accuracy_ratio_pct", "%", 100.0, ">= 99", "INCONCLUSIVE", ">= 98.09"),
        RunLimit("PyTorch", "bit_agreement", "fraction", 1.0, None, None, ">= 1"),
    ]


def test_what_is_no_number_supports_no_limit() -> None:
    (broken,) = run_limits([row("bit_agreement", 0.99), row("bit_agreement", math.nan, attack="jpeg:50")], GATES)
    assert (broken.verdict, broken.supported) == ("FAIL", None)
    (unknown,) = run_limits([row("bit_accuracy_ratio_pct", 100.0)], GATES)  # by the interval, and there is none
    assert (unknown.verdict, unknown.supported) == ("INCONCLUSIVE", None)


@given(st.floats(-1e9, 1e9), st.sampled_from(list(OPERATORS)))
def test_a_limit_lets_the_run_pass_and_is_no_more_than_a_thousandth_away(value: float, op: str) -> None:
    gate = Gate("logits_mae_rel_pct", {}, op, 0.0, "why")
    (found,) = run_limits([row("logits_mae_rel_pct", value)], [gate])
    assert found.supported is not None
    sign, number = found.supported.split(" ")
    assert sign == op[0] + "="
    assert OPERATORS[sign](value, float(number) + (1e-9 if sign == "<=" else -1e-9) * abs(value))
    assert float(number) == pytest.approx(value, rel=1e-3, abs=1e-300)


def test_the_table_has_a_line_for_each() -> None:
    lines = table(run_limits([row("bit_agreement", 0.99), row("logits_mae_rel_pct", 1.5)], GATES))
    assert re.split(r" {2,}", lines[0]) == [
        "precision", "metric", "value", "default gate", "verdict", "limit from this run", "unit",
    ]  # fmt: skip
    assert re.split(r" {2,}", lines[1]) == ["int8", "bit_agreement", "0.99", ">= 0.98", "PASS", ">= 0.99", "fraction"]
    assert re.split(r" {2,}", lines[2]) == ["int8", "logits_mae_rel_pct", "1.5", "none", "<= 1.5", "%"]
