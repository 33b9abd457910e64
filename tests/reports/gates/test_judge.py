"""A gate passes for one reason only: a finite measured value on the right side of the limit."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from sealbench.reports.errors import GateError
from sealbench.reports.gates.judge import DEFAULT_GATES, Gate, GateResult, Verdict, exit_code, judge, load_gates
from sealbench.reports.schema.records import Case, Expectation, Measurement, measurement
from tests.reports.synthetic import (
    FULL,
    NANO,
    altered,
    attack_rows,
    healthy_rows,
    other_rows,
    plan_of,
    quality_rows,
    tensor_rows,
    torch_of,
    without,
)

INT8 = replace(NANO, precision="int8")


def gate(
    metric: str = "bit_agreement", op: str = ">", limit: float = 0.99, judge_by: str = "value", **where: str
) -> Gate:
    return Gate(metric, where, op, limit, "because", judge_by)


def row(
    value: float, metric: str = "bit_agreement", case: Case = INT8, ci: tuple[float, float] | None = None
) -> Measurement:
    return measurement("r", case, "photographs", "none", metric, value, 10, ci)


def verdict_of(asked: Gate, *rows: Measurement) -> list[Verdict]:
    return [result.verdict for result in judge([asked], rows, plan_of(list(rows)))]


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        (">", 0.99, "FAIL"),
        (">", math.nextafter(0.99, 1), "PASS"),
        (">=", 0.99, "PASS"),
        (">=", math.nextafter(0.99, 0), "FAIL"),
        ("<", 0.99, "FAIL"),
        ("<", 0.98, "PASS"),
        ("<=", 0.99, "PASS"),
        ("<=", math.nextafter(0.99, 1), "FAIL"),
    ],
)
def test_each_op_decides_at_the_limit(op: str, value: float, expected: str) -> None:
    assert verdict_of(gate(op=op), row(value)) == [Verdict(expected)]


@pytest.mark.parametrize("op", [">", ">=", "<", "<="])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("judge_by", ["value", "interval"])
def test_what_is_not_finite_never_passes(op: str, value: float, judge_by: str) -> None:
    (result,) = judge([gate(op=op, judge_by=judge_by)], [row(value, ci=(0.0, 2.0))], [])
    assert result.verdict is Verdict.FAIL
    assert not result
    assert "not a finite number" in result.explanation


@pytest.mark.parametrize(
    ("ci", "expected"),
    [
        ((1.21, 1.5), "PASS"),
        ((1.2, 1.5), "PASS"),
        ((1.19, 1.5), "INCONCLUSIVE"),
        ((1.0, 1.2), "INCONCLUSIVE"),
        ((1.0, 1.19), "FAIL"),
        (None, "INCONCLUSIVE"),
        ((math.nan, 1.5), "FAIL"),
        ((1.3, math.inf), "FAIL"),
        ((1.5, 1.3), "FAIL"),
    ],
)
def test_by_interval(ci: tuple[float, float] | None, expected: str) -> None:
    asked = gate("speedup_vs_torch", ">=", 1.2, "interval")
    (result,) = judge([asked], [row(1.4, "speedup_vs_torch", ci=ci)], [])
    assert result.verdict is Verdict(expected)
    assert bool(result) is (expected == "PASS")
    if ci is None:
        assert "no interval was measured (fewer than five pictures, one round, or" in result.explanation


def test_a_promise_that_was_not_kept_fails() -> None:
    (result,) = judge([gate()], [], [Expectation(INT8, "photographs", "none", "bit_agreement")])
    assert result.verdict is Verdict.FAIL
    assert result.explanation == "promised but not measured: the suite did not finish"
    assert (result.case, result.dataset, result.measurement) == (INT8, "photographs", None)


def test_one_of_two_datasets_missing_fails_only_that_one() -> None:
    plan = [Expectation(INT8, dataset, "none", "bit_agreement") for dataset in ("photographs", "generated")]
    results = judge([gate()], [row(1.0)], plan)
    assert [(r.dataset, r.verdict) for r in results] == [("photographs", "PASS"), ("generated", "FAIL")]


def test_what_was_not_asked_for_does_not_apply() -> None:
    (result,) = judge([gate("latency_ms", "<", 50)], [row(1.0)], plan_of([row(1.0)]))
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert "suite was not selected" in result.explanation


def test_a_dataset_that_does_not_match_does_not_apply() -> None:
    (result,) = judge([gate(dataset="generated*")], [row(1.0)], [])
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert "no dataset or attack" in result.explanation


def test_a_gate_that_matches_nothing_says_so() -> None:
    (result,) = judge([gate(variant="videoseel")], [row(0.0)], [])
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert result.explanation == "no case of this run matches variant=videoseel"
    assert result.case is None


def test_what_was_measured_without_a_promise_and_twice_is_judged_each_time() -> None:
    assert verdict_of(gate(), row(1.0), row(0.5)) == [Verdict.PASS, Verdict.FAIL]
    assert [r.verdict for r in judge([gate()], [row(0.5)], [])] == [Verdict.FAIL]


def test_seeded_weights_make_accuracy_not_applicable_even_where_it_looks_right() -> None:
    seeded = replace(INT8, weights="seeded")
    (result,) = judge([gate("bit_accuracy")], [row(1.0, "bit_accuracy", seeded)], [])
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert "untrained" in result.explanation


def test_official_weights_make_the_confidence_not_applicable() -> None:
    official = replace(INT8, weights="official")
    asked = gate("confidence_delta", "<=", 0.02)
    assert verdict_of(asked, row(0.5, "confidence_delta", official)) == [Verdict.NOT_APPLICABLE]
    assert verdict_of(asked, row(0.5, "confidence_delta")) == [Verdict.FAIL]


def test_patterns_choose_the_cases() -> None:
    rows = [
        row(1.0),
        row(1.0, case=replace(INT8, precision="int8_weight_only")),
        row(1.0, case=replace(FULL, precision="int8")),
    ]
    asked = Gate("bit_agreement", {"variant": "*_nano", "precision": ["int8", "fp*"]}, ">", 0.9, "because")
    assert [result.case for result in judge([asked], rows, [])] == [INT8]
    assert asked.where_text == "variant=*_nano precision=int8|fp*"


def test_a_rounded_value_never_hides_its_side_of_the_limit() -> None:
    (result,) = judge([gate()], [row(0.98999999999)], [])
    assert result.explanation == "0.98999999999 is not > 0.99 fraction"


PASSED, FAILED, INCONCLUSIVE, SKIPPED = (
    GateResult(verdict, gate(), INT8, "", "", None, "")
    for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE)
)


@pytest.mark.parametrize(
    ("results", "measured", "code"),
    [
        ([PASSED, SKIPPED], 5, 0),
        ([SKIPPED], 5, 0),
        ([], 5, 0),
        ([PASSED, FAILED, INCONCLUSIVE], 5, 1),
        ([PASSED, INCONCLUSIVE], 5, 10),
        ([], 0, 11),
        ([SKIPPED], 0, 11),
        ([FAILED], 0, 1),
    ],
)
def test_exit_codes(results: list[GateResult], measured: int, code: int) -> None:
    assert exit_code(results, measured) == code


def test_the_truth_of_a_result() -> None:
    assert [bool(result) for result in (PASSED, FAILED, INCONCLUSIVE, SKIPPED)] == [True, False, False, True]


GOOD = '[[gate]]\nmetric = "bit_agreement"\nop = ">"\nlimit = 0.99\nreason = "r"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("bit_agreement", "bit_agrement"), r"gate 1 \(bit_agrement\): unknown metric 'bit_agrement'"),
        (GOOD + GOOD.replace('">"', '"=="'), r"gate 2 \(bit_agreement\): unknown op '==', expected one of >= >"),
        (GOOD.replace("0.99", "true"), r"gate 1 .*limit is True, expected a number"),
        (GOOD.replace("0.99", "nan"), r"gate 1 .*limit is nan, expected a finite number"),
        (GOOD.replace("0.99", "inf"), r"limit is inf, expected a finite number"),
        (GOOD.replace("0.99", '"0.99"'), r"limit is '0.99', expected a number"),
        (GOOD.replace('reason = "r"', ""), r"gate 1: 'reason' is missing"),
        (GOOD.replace('"r"', '" "'), r"reason is ' ', expected why"),
        (GOOD + "limits = 3\n", r"gate 1: unknown key 'limits', expected metric, where"),
        (GOOD + 'judge_by = "median"\n', r"unknown judge_by 'median', expected one of value, interval"),
        (GOOD + 'where = { varient = "*" }\n', r"unknown key 'varient' in where, expected variant"),
        (GOOD + "where = { variant = 3 }\n", r"where\.variant is 3, expected a pattern"),
        (GOOD + "where = { variant = [] }\n", r"where\.variant is \[\], expected a pattern"),
        (GOOD + 'where = "int8"\n', r"where is 'int8', expected a table"),
        (GOOD.replace('"bit_agreement"', "[1]"), r"gate 1: .*unhashable"),
        (GOOD.replace('">"', "[1]"), r"gate 1: .*unhashable"),
        ("[gates]\n", r"unknown key 'gates'"),
        ("", r"found no gate"),
        ("gate = 3\n", r"found no gate"),
        ("gate = [3]\n", r"gate 1: found 3, expected a table"),
        ("[[gate]\n", r"is not TOML"),
    ],
)
def test_a_gate_file_is_read_strictly(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "gates.toml"
    file.write_text(text)
    with pytest.raises(GateError, match=message) as caught:
        load_gates(file)
    assert str(file) in str(caught.value)


def test_a_missing_gate_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"cannot read gates .*none\.toml: No such file"):
        load_gates(tmp_path / "none.toml")


# --- the default gates ---


def judged(rows: list[Measurement], plan: list[Expectation] | None = None) -> list[GateResult]:
    return judge(load_gates(), rows, plan_of(healthy_rows()) if plan is None else plan)


def failures(rows: list[Measurement]) -> list[tuple[str, str, str]]:
    return [
        (r.gate.metric, r.case.variant, r.case.precision)
        for r in judged(rows)
        if r.verdict is Verdict.FAIL and r.case is not None
    ]


def test_a_healthy_run_passes_the_default_gates() -> None:
    rows = healthy_rows() + other_rows() + quality_rows() + tensor_rows() + attack_rows()
    results = judged(rows, plan_of(rows))
    assert {r.verdict for r in results} == {Verdict.PASS, Verdict.NOT_APPLICABLE}
    assert exit_code(results, len(rows)) == 0
    # Every default gate really judged something in the run that the issue describes.
    assert {r.gate for r in results if r.verdict is Verdict.PASS} == set(load_gates(DEFAULT_GATES))


@pytest.mark.parametrize(
    ("variant", "precision", "metric", "value"),
    [
        ("uvq1p5", "int8", "score_error_pct", 1.0),
        ("uvq1p5", "int8", "score_error_max_pct", 3.0),
        ("uvq1p5", "int8", "rank_correlation", 0.98),
        ("uvq1p5", "int8", "size_bytes", 9_100_000),
        ("uvq1p5", "float32", "score_error_max_pct", 0.2),
        ("uvq1p5_content", "float32", "feature_error_pct", 0.2),
        ("videoseal", "int8", "converted", 0),
        ("videoseal", "int8", "weight_slope_error", 1.0),
        ("videoseal_nano", "fp16", "weight_channel_slope_error", 0.5),
        ("videoseal", "int8_weight_only", "unmatched_weight_pct", 1.8),
        ("videoseal", "int8", "size_reduction_pct", 73.9),
        ("videoseal_nano", "int8", "size_reduction_pct", 69.9),
        ("videoseal", "fp16", "size_reduction_pct", 48.9),
        ("videoseal_nano", "fp16", "size_reduction_pct", 47.9),
        ("videoseal_nano", "int8", "quantized_weight_pct", 0.0),
        ("videoseal", "int8", "bit_agreement", 0.99),
        ("videoseal", "float32", "bit_agreement", 0.998),
        ("videoseal", "fp16", "bit_agreement", 0.998),
        ("videoseal_nano", "int8", "bit_accuracy_delta", -1.01),
        ("videoseal", "int8", "logits_mae_rel_pct", 5.0),
        ("videoseal_nano", "int8_weight_only", "logits_mae_rel_pct", 5.0),
        ("videoseal_nano", "int8", "bit_agreement", 0.998),
        ("videoseal_nano", "int4", "bit_agreement", 0.989),
        ("videoseal", "int4", "size_reduction_pct", 85.6),
        ("chunkyseal", "int8", "size_reduction_pct", 74.3),
        ("videoseal_nano", "int8", "confidence_delta", 0.021),
        ("videoseal_nano", "int8", "tied_bits", 1),
        ("videoseal_nano", "int8", "null_balance_shift", 0.031),
        ("videoseal_nano", "int4", "null_balance_shift", 0.16),
        ("videoseal_nano", "int8", "false_positive_rate_excess", 0.01),
        ("videoseal_nano", "int8_weight_only", "nan_count", 1),
        ("videoseal", "float32", "nan_count", math.nan),
        ("my_network", "float32", "output_cosine", 0.9998),
        ("my_network", "int8", "output_cosine", 0.989),
        ("my_network", "int4", "output_cosine", math.nan),
        ("my_network", "float32", "top1_agreement", 0.98),
        ("my_network", "int8", "top1_agreement", 0.94),
        ("my_network", "int4", "top1_agreement", 0.79),
        ("my_network", "int4", "nan_count", 1),
    ],
)
def test_each_promise_fails_when_it_is_broken(variant: str, precision: str, metric: str, value: float) -> None:
    rows = altered(
        healthy_rows() + other_rows() + quality_rows() + tensor_rows(), variant, precision, metric, value=value
    )
    assert failures(rows) == [(metric, variant, precision)]


@pytest.mark.parametrize(
    ("variant", "metric", "limit"),
    [
        ("videoseal", "speedup_vs_torch", 1.2),
        ("videoseal", "speedup_vs_float32", 1.2),
        ("videoseal_0.0", "speedup_vs_float32", 1.5),
        ("chunkyseal", "speedup_vs_float32", 2.5),
    ],
)
def test_speed_is_judged_by_its_interval(variant: str, metric: str, limit: float) -> None:
    rows = healthy_rows() + other_rows() + quality_rows()
    slow = altered(rows, variant, "int8", metric, value=limit - 0.02, ci_low=limit - 0.03, ci_high=limit - 0.01)
    assert (metric, variant, "int8") in failures(slow)
    unsure = altered(rows, variant, "int8", metric, ci_low=limit - 0.1, ci_high=limit + 0.1)
    assert exit_code(judged(unsure), len(unsure)) == 10
    lost = altered(rows, variant, "int8", metric, ci_low=None, ci_high=None)
    assert exit_code(judged(lost), len(lost)) == 10


def test_a_file_that_reads_less_than_99_percent_of_what_pytorch_reads_is_inferior() -> None:
    metric = "bit_accuracy_ratio_pct"
    lost = altered(healthy_rows(), "videoseal_nano", "int8", metric, value=98.0, ci_low=97.5, ci_high=98.9)
    assert failures(lost) == [(metric, "videoseal_nano", "int8")]
    unsure = altered(healthy_rows(), "videoseal_nano", "int8", metric, value=99.9, ci_low=98.9, ci_high=100.0)
    assert exit_code(judged(unsure), len(unsure)) == 10
    undefined = altered(healthy_rows(), "videoseal_nano", "int8", metric, value=math.nan)
    assert failures(undefined) == [(metric, "videoseal_nano", "int8")]


def test_under_an_attack_that_pytorch_withstands_a_file_may_not_be_inferior() -> None:
    def verdicts(attack: str, low: float, high: float, precision: str = "int8") -> dict[str, Verdict]:
        case = replace(NANO, precision=precision)
        rows = [
            measurement("r", case, "photographs", attack, "bit_accuracy_ratio_pct", (low + high) / 2, 24, (low, high)),
            measurement("r", case, "photographs", attack, "bit_agreement", 0.9, 24),
            measurement("r", case, "photographs", attack, "bit_accuracy_delta", -3, 24),
            measurement("r", case, "photographs", attack, "nan_count", 1, 24),
        ]
        return {r.gate.metric: r.verdict for r in judge(load_gates(), rows, []) if r.measurement is not None}

    assert verdicts("jpeg:50", 97.0, 98.9) == {"nan_count": Verdict.FAIL, "bit_accuracy_ratio_pct": Verdict.FAIL}
    assert verdicts("jpeg:50+resize:0.7", 98.9, 99.5)["bit_accuracy_ratio_pct"] is Verdict.INCONCLUSIVE
    assert verdicts("gaussian_blur:1", 99.0, 99.5)["bit_accuracy_ratio_pct"] is Verdict.PASS
    assert verdicts("hue:-0.1", 97.0, 98.0, "int4_block32")["bit_accuracy_ratio_pct"] is Verdict.PASS
    assert verdicts("crop:0.9", 90.0, 98.0)["bit_accuracy_ratio_pct"] is Verdict.FAIL
    assert verdicts("rotate:1", 90.0, 98.0)["bit_accuracy_ratio_pct"] is Verdict.FAIL
    assert verdicts("rotate:5", 90.0, 110.0) == {"nan_count": Verdict.FAIL}  # nothing is left to lose
    assert verdicts("none", 98.0, 98.9)["bit_accuracy_ratio_pct"] is Verdict.FAIL


def test_the_bundled_reference_must_read_its_own_watermark() -> None:
    rows = [
        replace(r, value=0.98) if r.case == torch_of(NANO) and r.metric == "bit_accuracy" else r for r in healthy_rows()
    ]
    assert [(r.gate.metric, r.case) for r in judged(rows) if not r] == [("bit_accuracy", torch_of(NANO))]
    official = [replace(r, case=replace(r.case, weights="official")) for r in rows]
    assert all(judged(official, plan_of(official)))


def test_a_suite_that_died_fails_every_gate_it_owed() -> None:
    rows = without(healthy_rows(), "videoseal_nano", "int8", "bit_agreement", "logits_mae_rel_pct")
    assert failures(rows) == [
        ("bit_agreement", "videoseal_nano", "int8"),
        ("bit_agreement", "videoseal_nano", "int8"),
        ("logits_mae_rel_pct", "videoseal_nano", "int8"),
    ]


def test_gates_of_an_earlier_version_judge_the_metric_under_its_present_name(tmp_path: Path) -> None:
    file = tmp_path / "gates.toml"
    file.write_text('[[gate]]\nmetric = "harmful_flips"\nop = "<="\nlimit = 3\nreason = "as before"\n')
    (gate,) = load_gates(file)
    assert gate.metric == "negative_flips"


def test_a_gate_judges_upstreams_resize_unless_it_names_another() -> None:
    """What an app's resize changes is not the file's doing: it fails no gate that does not ask for it."""
    bad = row(0.5, case=replace(INT8, preprocess="app"))
    assert [result.verdict for result in judge([gate()], [row(1.0), bad], [])] == [Verdict.PASS]
    assert [result.verdict for result in judge([gate(preprocess="app")], [row(1.0), bad], [])] == [Verdict.FAIL]
    both = judge([gate(preprocess="*")], [row(1.0), bad], [])
    assert [result.verdict for result in both] == [Verdict.PASS, Verdict.FAIL]
    assert not any(one.matches_case(bad.case) for one in load_gates(DEFAULT_GATES))
