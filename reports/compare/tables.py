"""The changes between two runs as tables: for the console, for programs (CSV) and for a pull request (Markdown)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sealbench.reports.compare.changes import Change, Status, count_statuses, regressions
from sealbench.reports.render.table import (
    MOST_ROWS_OF_MARKDOWN,
    Cell,
    Column,
    Table,
    console_text,
    csv_table,
    limited,
    markdown_table,
    missing_cell,
    name_cell,
    number_cell,
    words_cell,
)
from sealbench.reports.run.comparability import Difference
from sealbench.reports.run.loaded_run import LoadedRun
from sealbench.reports.schema.formatting import case_label, format_value, images_label, markdown_text
from sealbench.reports.schema.metrics import METRICS
from sealbench.reports.schema.records import CASE_COLUMNS

COMPARE_COLUMNS = (
    "status",
    "metric",
    *CASE_COLUMNS,
    "dataset",
    "attack",
    "before",
    "after",
    "unit",
    "change",
    "change_low",
    "change_high",
    "change_kind",
    "evidence",
    "gated",
    "words",
)
SHOWN = (Status.WORSE, Status.BETTER, Status.CHANGED)
"""What is shown row by row; the other rows are counted."""
_VALUE_WIDTH, _MOST_METRICS = 10, 4


def compare_csv(changes: Iterable[Change]) -> str:
    """Write every change, no digit lost.

    Args:
        changes: What `compare` gives.

    Returns:
        CSV with the columns COMPARE_COLUMNS.
    """
    rows = [
        (
            change.status.value,
            change.metric,
            *(getattr(change.case, name) for name in CASE_COLUMNS),
            change.dataset,
            change.attack,
            change.before,
            change.after,
            METRICS[change.metric].unit,
            change.change,
            change.low,
            change.high,
            "" if change.change is None else "ratio" if change.ratio else "difference",
            change.evidence,
            change.gated,
            change.words,
        )
        for change in changes
    ]
    return csv_table(COMPARE_COLUMNS, rows)


def changes_table(changes: Iterable[Change], most: int) -> Table:
    """Show what changed, worst first.

    Args:
        changes: What `compare` gives.
        most: How many rows are shown.

    Returns:
        A row for each of the first `shown_changes`.
    """
    columns = (
        Column("", width=7),
        Column("of", width=31),
        Column("metric", width=20),
        Column("before", numeric=True, width=_VALUE_WIDTH),
        Column("after", numeric=True, width=_VALUE_WIDTH),
        Column("change", numeric=True, width=15),
        Column("evidence"),
    )
    rows = shown_changes(changes)
    return limited("Changes", columns, [_row(change) for change in rows[:most]], "compare.csv", most, len(rows))


def compare_console(changes: Sequence[Change], color: bool = False) -> str:
    """Draw what changed for a terminal, worst first.

    Args:
        changes: What `compare` gives.
        color: Whether to colour with escape sequences.

    Returns:
        A table of at most 100 columns and MOST_ROWS_OF_MARKDOWN rows, and the counts of all rows.
    """
    table = changes_table(changes, MOST_ROWS_OF_MARKDOWN)
    reasons = [f"not compared ({count}): {reason}" for reason, count in not_compared(changes)]
    drawn: list[Table | str] = [replace(table, title="")] if table.rows else []
    blocks = [*drawn, *([table.note] if table.note else []), counts_text(changes), *reasons]
    return console_text(blocks, color=color)


def compare_markdown(
    before: LoadedRun, after: LoadedRun, changes: Sequence[Change], differences: Sequence[Difference]
) -> str:
    """Write the comparison on one page: the conclusion, each change, and what else differs.

    Args:
        before: The earlier run.
        after: The later one.
        changes: What `compare` gives.
        differences: What `allowed_differences` gives.

    Returns:
        Markdown, every name in it escaped.
    """
    parts = [
        f"## {markdown_text(after.run_id)} compared with {markdown_text(before.run_id)}",
        f"**{markdown_text(conclusion(changes))}** {counts_text(changes)}.",
        markdown_table(changes_table(changes, MOST_ROWS_OF_MARKDOWN)),
        *(markdown_table(table, "### ") for table in other_tables(changes, differences)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def other_tables(changes: Sequence[Change], differences: Sequence[Difference]) -> list[Table]:
    """Show what is new, missing and not compared, and what else differs between the runs.

    Args:
        changes: What `compare` gives.
        differences: What `allowed_differences` gives.

    Returns:
        Only tables that have rows.
    """
    counted = (Column("of"), Column("rows", numeric=True))
    found = [
        limited(
            title,
            counted,
            [(words_cell(text), number_cell(count, str(count))) for text, count in entries],
            "compare.csv",
        )
        for title, entries in (
            ("New", whole_cases(changes, Status.NEW)),
            ("Missing", whole_cases(changes, Status.MISSING)),
            ("Not compared", not_compared(changes)),
        )
    ]
    rows = tuple(tuple(map(words_cell, (row.field, row.before, row.after))) for row in differences)
    found.append(Table("What else differs", (Column(""), Column("before"), Column("after")), rows))
    return [table for table in found if table.rows]


def conclusion(changes: Sequence[Change]) -> str:
    """Say in a sentence what the comparison found.

    Args:
        changes: What `compare` gives.

    Returns:
        For example "WORSE: 2 gated values are worse (bit_accuracy)."
    """
    bad = regressions(changes)
    if bad:
        metrics = ", ".join(dict.fromkeys(change.metric for change in bad))
        return f"WORSE: {len(bad)} gated {_values_are(len(bad))} worse ({metrics})."
    counts = count_statuses(changes)
    if counts[Status.WORSE]:
        number = counts[Status.WORSE]
        return f"{number} {_values_are(number)} worse that no gate judges; no other is."
    if not counts[Status.BETTER] + counts[Status.CHANGED] + counts[Status.UNCHANGED]:
        return "Nothing could be compared."
    return "Nothing is worse."


def counts_text(changes: Sequence[Change]) -> str:
    """Count the rows of each status.

    Args:
        changes: What `compare` gives.

    Returns:
        For example "2 worse, 1 better, 96 unchanged".
    """
    return (
        ", ".join(f"{count} {status.value}" for status, count in count_statuses(changes).items() if count) or "no rows"
    )


def shown_changes(changes: Iterable[Change]) -> list[Change]:
    """What is shown row by row: worse before better before changed, gated rows first.

    Args:
        changes: What `compare` gives.
    """
    found = [change for change in changes if change.status in SHOWN]
    return sorted(found, key=lambda change: (SHOWN.index(change.status), not change.gated))


def whole_cases(changes: Iterable[Change], status: Status) -> list[tuple[str, int]]:
    """Name the cases that have rows of a status, and how many.

    Args:
        changes: What `compare` gives.
        status: NEW or MISSING.

    Returns:
        Labels and counts, in the order of the changes.
    """
    return list(Counter(case_label(change.case) for change in changes if change.status is status).items())


def not_compared(changes: Iterable[Change]) -> list[tuple[str, int]]:
    """Say why rows were not compared, and how many for each reason.

    Args:
        changes: What `compare` gives.

    Returns:
        Reasons with the metrics that they hold for, and counts, the most frequent first; what means nothing for seeded
        weights is one reason.
    """
    found: dict[str, list[str]] = {}
    for change in changes:
        if change.status is Status.NOT_COMPARED:
            reason = "means nothing for these weights" if "means nothing" in change.words else change.words
            found.setdefault(reason, []).append(change.metric)
    return [
        (f"{_some(dict.fromkeys(metrics))}: {reason}", len(metrics))
        for reason, metrics in sorted(found.items(), key=lambda entry: -len(entry[1]))
    ]


def _some(metrics: Iterable[str]) -> str:
    names = list(metrics)
    rest = [f"{len(names) - _MOST_METRICS} more"] if len(names) > _MOST_METRICS else []
    return ", ".join(names[:_MOST_METRICS] + rest)


def change_label(change: Change) -> str:
    """Name what changed for people.

    Args:
        change: Any change.

    Returns:
        For example "videoseal_nano 256 int8, photographs, jpeg:50".
    """
    images = images_label(change.dataset, change.attack)
    return case_label(change.case) + (f", {images}" if images else "")


def change_text(change: Change, interval: bool = True) -> str:
    """Write a change with its sign and, where asked, its interval.

    Args:
        change: Any change.
        interval: Whether to add its 95 % interval.

    Returns:
        For example "+4.2 % [+3.8, +4.6]" or "-0.50 points"; "" where there is no change.
    """
    if change.change is None:
        return ""
    unit = METRICS[change.metric].unit
    shift, scale, name = {
        "fraction": (0.0, 100.0, "points"),
        "bytes": (0.0, 1.0, "bytes"),
    }.get(unit, (0.0, 1.0, "" if unit == "count" else unit))
    if change.ratio:
        shift, scale, name = 1.0, 100.0, "%"
    elif unit == "%":
        name = "points"
    numbers = [scale * (number - shift) for number in (change.change, change.low, change.high) if number is not None]
    texts = [f"{number:+.3g}" if abs(number) < 1000 else f"{number:+.0f}" for number in numbers]
    ends = f" [{texts[1]}, {texts[2]}]" if interval and len(texts) == 3 else ""
    return f"{texts[0]} {name}".rstrip() + ends


def _values_are(count: int) -> str:
    return "value is" if count == 1 else "values are"


def _row(change: Change) -> tuple[Cell, ...]:
    status = change.status.value
    return (
        Cell(status, SHOWN.index(change.status), kind=status, strong=change.gated and change.status is Status.WORSE),
        name_cell(change_label(change)),
        name_cell(change.metric),
        _value_cell(change.metric, change.before),
        _value_cell(change.metric, change.after),
        Cell(change_text(change), kind="number", short=change_text(change, interval=False)),
        words_cell(", ".join(part for part in (change.evidence, change.words) if part)),
    )


def _value_cell(metric: str, value: float | None) -> Cell:
    text = format_value(metric, value)
    if value is None:
        return missing_cell(text)
    return number_cell(value, text, short=text if len(text) <= _VALUE_WIDTH else text.partition(" ")[0])
