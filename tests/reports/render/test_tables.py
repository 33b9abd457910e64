"""What people and programs read of a run: every digit in the CSV files, no false comfort in the others."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest

from sealbench.reports.gates.judge import Gate, Verdict, judge, load_gates
from sealbench.reports.gates.standings import worst_verdict
from sealbench.reports.render.gates import verdict_table
from sealbench.reports.render.markdown import summary_markdown
from sealbench.reports.render.tables import (
    VERDICT_COLUMNS,
    console_summary,
    summary_frame,
    write_summary_csv,
    write_verdicts_csv,
)
from sealbench.reports.schema.formatting import case_label, format_value, markdown_text, plain_text
from sealbench.reports.schema.metrics import METRICS
from sealbench.reports.schema.records import CASE_COLUMNS, Measurement
from tests.reports.synthetic import altered, healthy_rows, plan_of, without

HOSTILE = "<img src=x onerror=alert(1)>|`[a](http://evil)`\n\x1b[31m@everyone"


def page_of(rows: list[Measurement], promised: list[Measurement] | None = None) -> str:
    results = judge(load_gates(), rows, plan_of(promised or healthy_rows()))
    return summary_markdown(summary_frame(rows, results), results, len(rows))


def test_the_summary_has_a_row_for_each_case_and_a_column_for_each_metric() -> None:
    rows = healthy_rows()
    frame = summary_frame(rows, judge(load_gates(), rows, plan_of(rows)))
    assert list(frame.columns) == [*CASE_COLUMNS, "dataset", "verdict", *METRICS]
    assert len(frame) == 10
    int8 = frame[(frame["variant"] == "videoseal") & (frame["precision"] == "int8")].iloc[0]
    assert (int8["size_bytes"], int8["bit_agreement"], int8["dataset"]) == (34.1e6, 0.9972, "photographs")
    assert int8["bit_accuracy"] is None  # measured as 0.5, but seeded
    assert set(frame["verdict"]) == {"PASS"}


def test_a_case_that_died_before_any_measurement_has_a_row_that_failed() -> None:
    rows = [row for row in healthy_rows() if (row.case.variant, row.case.precision) != ("videoseal", "int8")]
    frame = summary_frame(rows, judge(load_gates(), rows, plan_of(healthy_rows())))
    dead = frame[(frame["variant"] == "videoseal") & (frame["precision"] == "int8")].iloc[0]
    assert (dead["verdict"], dead["size_bytes"]) == ("FAIL", None)


def test_the_summary_takes_the_first_dataset_without_attack() -> None:
    first = next(row for row in healthy_rows() if row.metric == "bit_agreement")
    rows = [
        replace(first, attack="jpeg:50", value=0.1),
        replace(first, value=0.8),
        replace(first, dataset="generated", value=0.3),
    ]
    row = summary_frame(rows, []).iloc[0]
    assert (row["bit_agreement"], row["dataset"], row["verdict"]) == (0.8, "photographs", "NOT_APPLICABLE")


def test_verdicts_sum_up_to_the_worst() -> None:
    assert worst_verdict([Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE]) == "FAIL"
    assert worst_verdict([Verdict.PASS, Verdict.INCONCLUSIVE]) == "INCONCLUSIVE"
    assert worst_verdict([Verdict.NOT_APPLICABLE, Verdict.PASS]) == "PASS"
    assert worst_verdict([]) == "NOT_APPLICABLE"


def test_the_csv_files_keep_digits_and_tell_nan_from_missing(tmp_path: Path) -> None:
    rows = altered(healthy_rows(), "videoseal", "int8", "bit_agreement", value=1 / 3)
    rows = altered(rows, "videoseal", "fp16", "bit_agreement", value=math.nan)
    results = judge(load_gates(), rows, plan_of(rows))
    frame = summary_frame(rows, results)
    with write_summary_csv(frame, tmp_path / "summary.csv").open(newline="") as stream:
        table = {(row["variant"], row["precision"], row["backend"]): row for row in csv.DictReader(stream)}
    assert table["videoseal", "int8", "litert"]["bit_agreement"] == repr(1 / 3)
    assert table["videoseal", "fp16", "litert"]["bit_agreement"] == "nan"
    assert table["videoseal", "float32", "torch"]["bit_agreement"] == ""
    with write_verdicts_csv(results, tmp_path / "verdicts.csv").open(newline="") as stream:
        verdicts = list(csv.DictReader(stream))
    assert ",".join(VERDICT_COLUMNS) == (
        "verdict,metric,variant,weights,precision,image_size,mode,backend,threads,rewrites,preprocess,dataset,attack,"
        "value,ci_low,ci_high,unit,op,limit,judge_by,reason,explanation"
    )
    assert tuple(verdicts[0]) == VERDICT_COLUMNS
    failed = [row for row in verdicts if row["verdict"] == "FAIL"]
    assert [(row["precision"], row["value"], row["op"], row["limit"]) for row in failed] == [
        ("fp16", "nan", ">=", "0.999"),
        ("int8", repr(1 / 3), ">", "0.99"),
    ]
    assert failed[0]["explanation"] == "the value is nan: not a finite number"


def test_the_console_table_fits_and_says_what_does_not_apply() -> None:
    rows = altered(healthy_rows(), "videoseal", "int8", "bit_agreement", value=math.nan)
    rows = altered(rows, "videoseal", "float32", "logits_mae_rel_pct", value=7.324e-5)
    text = console_summary(summary_frame(rows, judge(load_gates(), rows, plan_of(rows))))
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "…" not in text
    assert "\x1b" not in text
    seeded = text.partition("videoseal 256 (seeded)\n")[2]
    (line,) = [line for line in seeded.splitlines() if line.startswith("int8 ")]
    assert line.split() == ["int8", "34.1", "74.4", "30.3", "4.06", "2.35", "NaN", "n/a", "1.9", "FAIL"]
    assert "(seeded) untrained weights" in text
    assert "\x1b[" in console_summary(summary_frame(rows, []), color=True)


def test_rows_of_another_number_of_threads_stand_apart() -> None:
    rows = [
        *healthy_rows(),
        *(replace(row, case=replace(row.case, threads=1)) for row in healthy_rows() if row.metric == "latency_ms"),
    ]
    text = console_summary(summary_frame(rows, []))
    assert "videoseal_nano 256\n" in text
    assert "videoseal_nano 256, 1 thread\n" in text
    assert case_label(replace(rows[0].case, threads=4)).endswith(", 4 threads")
    assert "thread" not in case_label(rows[0].case)
    assert case_label(replace(rows[0].case, preprocess="app", threads=4)).endswith("PyTorch, app, 4 threads")


def test_the_console_table_survives_hostile_names_and_an_empty_run() -> None:
    rows = [replace(row, case=replace(row.case, variant=HOSTILE * 3, precision=HOSTILE)) for row in healthy_rows()[5:8]]
    text = console_summary(summary_frame(rows, []))
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 100
    assert console_summary(summary_frame([], [])).strip() == ""


def test_the_page_begins_with_the_conclusion() -> None:
    page = page_of(healthy_rows())
    first = page.splitlines()[2]
    assert first.startswith("**PASS: all ")
    assert "videoseal_nano 256 **int8** (72.0 % smaller than float32, 2.81 x as fast as PyTorch" in first
    assert "_seeded_: untrained weights" in page
    assert "### Failed gates" not in page


def test_the_page_lists_what_failed_with_value_limit_and_reason() -> None:
    page = page_of(altered(healthy_rows(), "videoseal", "int8", "bit_agreement", value=0.98))
    assert "**FAIL: 1 of " in page.splitlines()[2]
    assert "videoseal (seeded) 256 int8 (bit_agreement)" in page.splitlines()[2]
    (line,) = [line for line in page.splitlines() if "| bit_agreement " in line]
    gate, of = "bit_agreement &gt; 99.00 %", "videoseal (seeded) 256 int8, photographs"
    assert line.startswith(f"| **FAIL** | {gate} | {of} | 98.00 % | ")
    assert "0.98 is not &gt; 0.99 fraction" in line
    assert "at most one bit of a hundred" in line
    (row,) = [line for line in page.splitlines() if line.startswith("| videoseal 256 (seeded) | int8 |")]
    assert row.endswith("| **FAIL** |")
    assert row.split("|")[9].strip() == "n/a"  # accuracy of seeded weights, although 0.5 was recorded


def test_the_page_recommends_nothing_that_failed_or_that_no_gate_judged() -> None:
    rows = altered(healthy_rows(), "videoseal_nano", "int8", "bit_agreement", value=0.5)
    assert "videoseal_nano 256 **int8\\_weight\\_only**" in page_of(rows) or "**int8_weight_only**" in page_of(rows)
    assert "videoseal_nano 256 **int8**" not in page_of(rows)
    page = summary_markdown(summary_frame(rows, []), [], len(rows))
    assert page.splitlines()[2].startswith("**No verdict**")
    assert "pass" not in page.lower()


def test_not_applicable_never_looks_like_passed() -> None:
    rows = [row for row in healthy_rows() if row.case.variant == "videoseal" and row.metric == "bit_accuracy"]
    gates = [gate for gate in load_gates() if gate.metric == "bit_accuracy"]
    results = judge(gates, rows, plan_of(rows))
    page = summary_markdown(summary_frame(rows, results), results, len(rows))
    assert "pass" not in page.lower()
    assert "no gate applied" in page


def test_an_inconclusive_gate_and_an_empty_run_are_said_first() -> None:
    rows = altered(healthy_rows(), "videoseal", "int8", "speedup_vs_torch", ci_low=1.0, ci_high=9.0)
    assert page_of(rows).splitlines()[2].startswith("**INCONCLUSIVE: 1 of ")
    assert "### Inconclusive gates" in page_of(rows)
    assert summary_markdown(summary_frame([], []), [], 0).splitlines()[2].startswith("**Nothing was measured**")


def test_rows_beyond_a_limit_are_counted_and_bad_ones_come_first() -> None:
    rows = altered(healthy_rows(), "videoseal", "int8", "bit_agreement", value=0.98)
    results = judge(load_gates(), rows, plan_of(rows))
    table = verdict_table("Every verdict", results, most=20)
    assert len(table.rows) == 20
    assert table.note == f"{len(results) - 20} more rows are in verdicts.csv."
    assert [row[0].kind for row in table.rows].count("fail") == 1
    assert table.rows[0][0].kind == "fail"


def test_missing_measurements_are_listed_as_missing() -> None:
    page = page_of(without(healthy_rows(), "videoseal", "int8", "bit_agreement"))
    (line,) = [line for line in page.splitlines() if "| bit_agreement " in line]
    assert "| missing |" in line
    assert "the suite did not finish" in line


def test_hostile_names_are_escaped_in_the_page() -> None:
    rows = [
        replace(row, case=replace(row.case, variant=HOSTILE), dataset=HOSTILE)
        for row in healthy_rows()
        if row.metric == "bit_agreement"
    ]
    gate = Gate("bit_agreement", {}, ">", 2.0, HOSTILE)
    results = judge([gate], rows, [])
    page = summary_markdown(summary_frame(rows, results), results, len(rows), [HOSTILE])
    assert "<img" not in page
    assert "http://" not in page
    assert "@everyone" not in page
    assert "\x1b" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    table = [line for line in page.splitlines() if line.startswith("| ")]
    bars = {line.replace("\\|", "").count("|") for line in table}
    assert bars == {12, 7}  # the two tables keep their eleven and six columns


def test_a_page_where_everything_failed_still_fits_a_comment() -> None:
    rows = [
        replace(row, case=replace(row.case, variant=f"v{k}"), value=math.nan)
        for k in range(30)
        for row in healthy_rows()
    ]
    page = page_of(rows, rows)
    assert len(page) < 65_536
    assert "more rows are in verdicts.csv" in page


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("size_bytes", 34.1e6, "34.1 MB"),
        ("size_bytes", 1234.0, "0.00123 MB"),
        ("bit_agreement", 0.9972, "99.72 %"),
        ("bit_agreement", 0.999999, ">99.99 %"),
        ("bit_agreement", 1.0, "100.00 %"),
        ("bit_accuracy_delta", 0.5, "+0.50 points"),
        ("logits_mae_rel_pct", 2.774e-5, "2.8e-05 %"),
        ("logits_mae_rel_pct", 0.000567, "5.7e-04 %"),
        ("logits_mae_rel_pct", 0.05674, "0.0567 %"),
        ("logits_mae_rel_pct", 0.0, "0 %"),
        ("logits_mae_rel_pct", 1.94, "1.9 %"),
        ("latency_ms", 30.26, "30.3 ms"),
        ("latency_ms", math.nan, "NaN"),
        ("latency_ms", math.inf, "inf ms"),
        ("latency_ms", None, "n/a"),
        ("nan_count", 3.0, "3"),
    ],
)
def test_values_are_shown_with_units(metric: str, value: float | None, text: str) -> None:
    assert format_value(metric, value) == text


def test_text_is_made_safe() -> None:
    assert plain_text("a\nb\x1b[1mc\u202ed\udcffe") == "a b [1mc d e"
    assert markdown_text("a|b<c>&`d`") == "a\\|b&lt;c&gt;&amp;\\`d\\`"
