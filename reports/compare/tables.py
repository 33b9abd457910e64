"""The changes between two runs as tables: for the console, for programs (CSV) and for a pull request (Markdown)."""

import io
from collections import Counter
from collections.abc import Iterable, Sequence

from sealbench.reports.compare.changes import Change, Status, count_statuses, regressions
from sealbench.reports.files import csv_text
from sealbench.reports.render.tables import CONSOLE_WIDTH
from sealbench.reports.run.comparability import Difference
from sealbench.reports.run.loaded_run import LoadedRun
from sealbench.reports.schema.formatting import case_label, format_value, images_label, markdown_text, plain_text
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
MOST_ROWS = 40
_VALUE_WIDTH, _MOST_METRICS = 10, 4
_STYLES = {Status.WORSE: "bold red", Status.BETTER: "green"}


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
    return csv_text([COMPARE_COLUMNS, *rows])


def compare_console(changes: Sequence[Change], color: bool = False) -> str:
    """Draw what changed for a terminal, worst first.

    Args:
        changes: What `compare` gives.
        color: Whether to colour with escape sequences.

    Returns:
        A table of at most 100 columns and MOST_ROWS rows, and the counts of all rows.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True, width=7)
    table.add_column("of", no_wrap=True, overflow="ellipsis", width=31)
    table.add_column("metric", no_wrap=True, overflow="ellipsis", width=20)
    table.add_column("before", justify="right", no_wrap=True, overflow="ellipsis", width=_VALUE_WIDTH)
    table.add_column("after", justify="right", no_wrap=True, overflow="ellipsis", width=_VALUE_WIDTH)
    table.add_column("change", justify="right", no_wrap=True, overflow="ellipsis", width=15)
    rows = shown_changes(changes)
    for change in rows[:MOST_ROWS]:
        table.add_row(
            Text(change.status.value, style=_STYLES.get(change.status, "")),
            Text(plain_text(change_label(change))),
            Text(change.metric),
            Text(_short(change.metric, change.before)),
            Text(_short(change.metric, change.after)),
            Text(change_text(change, interval=False)),
        )
    console = Console(
        file=io.StringIO(), width=CONSOLE_WIDTH, force_terminal=color, no_color=not color, legacy_windows=False
    )
    with console.capture() as capture:
        if rows:
            console.print(table)
        if len(rows) > MOST_ROWS:
            console.print(Text(f"... and {len(rows) - MOST_ROWS} more in compare.csv"))
        console.print(Text(counts_text(changes)))
        for reason, count in not_compared(changes):
            console.print(Text(plain_text(f"not compared ({count}): {reason}")))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def compare_markdown(
    before: LoadedRun, after: LoadedRun, changes: Sequence[Change], differences: Sequence[Difference]
) -> str:
    """Write the comparison on one page: the answer, what else differs, and each change.

    Args:
        before: The earlier run.
        after: The later one.
        changes: What `compare` gives.
        differences: What `allowed_differences` gives.

    Returns:
        Markdown, every name in it escaped.
    """
    rows = shown_changes(changes)
    parts = [
        f"## {markdown_text(after.run_id)} against {markdown_text(before.run_id)}",
        f"**{markdown_text(answer(changes))}** {counts_text(changes)}.",
        _changes_table(rows[:MOST_ROWS]),
        f"... and {len(rows) - MOST_ROWS} more in `compare.csv`." if len(rows) > MOST_ROWS else "",
        _listed("New", whole_cases(changes, Status.NEW)),
        _listed("Missing", whole_cases(changes, Status.MISSING)),
        _listed("Not compared", not_compared(changes)),
        _differences_table(differences),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def answer(changes: Sequence[Change]) -> str:
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
        For example "+4.2 % [+3.8, +4.6]" or "-0.50 points"; "" where there is no change to tell.
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


def _short(metric: str, value: float | None) -> str:
    """A value for a narrow cell: without its unit where that is a long word."""
    text = format_value(metric, value)
    return text if len(text) <= _VALUE_WIDTH else text.partition(" ")[0]


def _changes_table(rows: Sequence[Change]) -> str:
    if not rows:
        return ""
    lines = ["| | of | metric | before | after | change | evidence |", "| --- | --- | --- | ---: | ---: | ---: | --- |"]
    for change in rows:
        status = f"**{change.status.value}**" if change.gated and change.status is Status.WORSE else change.status.value
        evidence = ", ".join(part for part in (change.evidence, change.words) if part)
        cells = [
            status,
            markdown_text(change_label(change)),
            change.metric,
            markdown_text(format_value(change.metric, change.before)),
            markdown_text(format_value(change.metric, change.after)),
            markdown_text(change_text(change)),
            markdown_text(evidence),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _listed(title: str, entries: Sequence[tuple[str, int]]) -> str:
    if not entries:
        return ""
    lines = [
        f"- {markdown_text(text)} ({count} {'row' if count == 1 else 'rows'})" for text, count in entries[:MOST_ROWS]
    ]
    return "\n".join([f"### {title}", "", *lines])


def _differences_table(differences: Sequence[Difference]) -> str:
    if not differences:
        return ""
    lines = ["### What else differs", "", "| | before | after |", "| --- | --- | --- |"]
    lines += [
        f"| {markdown_text(item.field)} | {markdown_text(item.before)} | {markdown_text(item.after)} |"
        for item in differences[:MOST_ROWS]
    ]
    return "\n".join(lines)
