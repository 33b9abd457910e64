"""The gates as tables: each with its reason, and each verdict with what was found."""

from collections import Counter
from collections.abc import Sequence

from sealbench.reports.gates.judge import Gate, GateResult, Verdict
from sealbench.reports.render.plots.values import with_interval
from sealbench.reports.render.table import (
    MOST_ROWS_OF_PAGE,
    VERDICT_WORDS,
    WORST_FIRST,
    Cell,
    Column,
    Table,
    definition,
    limited,
    missing_cell,
    number_cell,
    verdict_cell,
    words_cell,
)
from sealbench.reports.schema.formatting import case_label, format_value, images_label


def gate_table(gates: Sequence[Gate], results: Sequence[GateResult]) -> Table:
    """Show each gate, why it is, and how many verdicts of each kind it gave.

    Args:
        gates: What was asked, in their order.
        results: The verdicts.
    """
    counts: dict[int, Counter[Verdict]] = {id(gate): Counter() for gate in gates}
    for result in results:
        counts.setdefault(id(result.gate), Counter())[result.verdict] += 1
    columns = (
        Column("gate", "the metric and its limit"),
        Column("holds for"),
        Column("why this limit"),
        *(Column(VERDICT_WORDS[verdict], numeric=True) for verdict in WORST_FIRST),
    )
    body = tuple(
        (
            Cell(_gate_text(gate), gate.metric, definition(gate.metric)),
            words_cell(gate.where_text),
            words_cell(gate.reason),
            *(_count_cell(counts[id(gate)][verdict], verdict) for verdict in WORST_FIRST),
        )
        for gate in gates
    )
    return limited("Every gate", columns, body, "gates.toml")


def verdict_table(title: str, results: Sequence[GateResult], most: int = MOST_ROWS_OF_PAGE) -> Table:
    """Show verdicts with what was found, the bad ones first.

    Args:
        title: Of the table.
        results: Which.
        most: How many are shown.
    """
    columns = (
        Column("verdict"),
        Column("gate", "the metric and its limit"),
        Column("of"),
        Column("value", numeric=True),
        Column("what was found"),
        Column("why this limit"),
    )
    ordered = sorted(results, key=lambda result: WORST_FIRST.index(result.verdict))  # stable
    return limited(
        title, columns, [_verdict_row(result) for result in ordered[:most]], "verdicts.csv", most, len(results)
    )


def _verdict_row(result: GateResult) -> tuple[Cell, ...]:
    gate, row = result.gate, result.measurement
    label = case_label(result.case) if result.case else gate.where_text
    images = images_label(result.dataset, result.attack)
    value = missing_cell("missing")
    if row is not None:
        value = number_cell(row.value, format_value(gate.metric, row.value), with_interval(row))
    return (
        verdict_cell(result.verdict),
        Cell(_gate_text(gate), gate.metric, definition(gate.metric)),
        words_cell(label + (f", {images}" if images else "")),
        value,
        words_cell(result.explanation),
        words_cell(gate.reason),
    )


def _gate_text(gate: Gate) -> str:
    return f"{gate.metric} {gate.op} {format_value(gate.metric, gate.limit)}"


def _count_cell(count: int, verdict: Verdict) -> Cell:
    marked = count and verdict in {Verdict.FAIL, Verdict.INCONCLUSIVE}
    return Cell(str(count) if count else "-", count, "", verdict.value.lower() if marked else "number")
