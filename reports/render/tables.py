"""Summary and verdict tables: for programs (CSV, every digit) and for the console."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from sealbench.reports.files import csv_text, write_atomically
from sealbench.reports.gates.judge import GateResult, Verdict
from sealbench.reports.gates.standings import worst_verdict
from sealbench.reports.schema.formatting import (
    NOT_APPLICABLE_TEXT,
    format_value,
    plain_text,
    precision_name,
    rewrites_note,
    threads_text,
)
from sealbench.reports.schema.metrics import METRICS, SEEDED, reason_not_applicable
from sealbench.reports.schema.records import CASE_COLUMNS, Case, Measurement
from sealbench.reports.schema.tasks import TaskReport, task_of

if TYPE_CHECKING:
    from rich.table import Table

VERDICT_COLUMNS = (
    "verdict",
    "metric",
    *CASE_COLUMNS,
    "dataset",
    "attack",
    "value",
    "ci_low",
    "ci_high",
    "unit",
    "op",
    "limit",
    "judge_by",
    "reason",
    "explanation",
)
SUMMARY_COLUMNS = (*CASE_COLUMNS, "dataset", "verdict", *METRICS)
CONSOLE_WIDTH = 100
_VALUE_WIDTH = 7
_SHORT_VERDICTS = {
    Verdict.PASS: ("pass", "green"),
    Verdict.FAIL: ("FAIL", "bold red"),
    Verdict.INCONCLUSIVE: ("inconclusive", "yellow"),
    Verdict.NOT_APPLICABLE: ("n/a", "dim"),
}


def summary_frame(measurements: Sequence[Measurement], results: Sequence[GateResult]) -> pd.DataFrame:
    """Put a run into wide form.

    A cell is the value on images without attack, of the dataset that the case met first (named in `dataset`);
    other datasets and attacks are in results.csv, and `verdict` counts them all.

    Args:
        measurements: The run's measurements.
        results: The run's verdicts; a case that was judged but never measured has a row as well.

    Returns:
        One row for each case, columns SUMMARY_COLUMNS in the registry's order and units. A cell is None when
        the metric was not measured or means nothing for these weights, and NaN when NaN was measured.
    """
    rows: dict[Case, list[Measurement]] = {}
    verdicts: dict[Case, list[Verdict]] = {}
    for row in measurements:
        rows.setdefault(row.case, []).append(row)
    for result in results:
        if result.case is not None:
            verdicts.setdefault(result.case, []).append(result.verdict)
    cases = dict.fromkeys([*rows, *verdicts])
    records = [_summary_row(case, rows.get(case, []), verdicts.get(case, [])) for case in cases]
    return pd.DataFrame(records, columns=list(SUMMARY_COLUMNS), dtype=object)


def write_summary_csv(frame: pd.DataFrame, path: Path) -> Path:
    """Write summary.csv, every digit kept, None as an empty cell and NaN as "nan".

    Args:
        frame: What `summary_frame` gives.
        path: Where to.

    Returns:
        The path.

    Raises:
        ReportError: The file cannot be written.
    """
    return write_atomically(path, csv_text([frame.columns, *frame.itertuples(index=False, name=None)]))


def write_verdicts_csv(results: Sequence[GateResult], path: Path) -> Path:
    """Write verdicts.csv: one row for each result, columns VERDICT_COLUMNS.

    Args:
        results: What `judge` gives.
        path: Where to.

    Returns:
        The path.

    Raises:
        ReportError: The file cannot be written.
    """
    return write_atomically(path, csv_text([VERDICT_COLUMNS, *(_verdict_row(result) for result in results)]))


def console_summary(frame: pd.DataFrame, width: int = CONSOLE_WIDTH, color: bool = False) -> str:
    """Draw the summary for a terminal.

    Args:
        frame: What `summary_frame` gives.
        width: Columns of the terminal; 97 are needed for the table.
        color: Whether to colour the verdicts with escape sequences.

    Returns:
        A table, at most `width` wide. "n/a" is not measured or meaningless, and as a
        verdict says that no gate applied.
    """
    from rich.console import Console
    from rich.text import Text

    models: dict[str, list[dict]] = {}
    for row in frame.to_dict("records"):
        models.setdefault(plain_text(model_label(row)), []).append(row)
    console = Console(file=io.StringIO(), width=width, force_terminal=color, no_color=not color, legacy_windows=False)
    with console.capture() as capture:
        for model, rows in models.items():
            console.print(Text(model, style="bold", overflow="ellipsis", no_wrap=True))
            console.print(_console_table(rows, models_task(rows)))
        if note := rewrites_note(frame["rewrites"]):
            console.print(Text(note))
        if (frame["weights"] == SEEDED).any():
            console.print(Text("(seeded) untrained weights: size, latency and fidelity count, accuracy does not"))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _console_table(rows: Sequence[dict], task: TaskReport) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=0)
    # Fixed widths, so that the tables of several models stand below each other.
    table.add_column("precision", overflow="ellipsis", no_wrap=True, width=17)
    for headline in task.headlines.values():
        width = max(_VALUE_WIDTH, *map(len, headline.short.split("\n")))
        table.add_column(headline.short, justify="right", no_wrap=True, width=width)
    table.add_column("gates", no_wrap=True, width=12)
    for row in rows:
        word, style = _SHORT_VERDICTS[Verdict(row["verdict"])]
        cells = [format_value(metric, row[metric]) for metric in task.headlines]
        table.add_row(
            Text(plain_text(precision_label(row))),
            *(Text(cell.partition(" ")[0], style="dim" if cell == NOT_APPLICABLE_TEXT else "") for cell in cells),
            Text(word, style=style),
        )
    return table


def models_task(rows: Sequence[dict]) -> TaskReport:
    """The task of a model.

    Args:
        rows: Its rows of the summary frame.

    Returns:
        The registry's entry.
    """
    return task_of(
        {name: value for row in rows for name, value in row.items() if name in METRICS and value is not None}
    )


def model_label(row: dict) -> str:
    """Name the model of a summary row, with what is unusual about it.

    Args:
        row: A row of the summary frame.

    Returns:
        For example "videoseal 256 (seeded)".
    """
    resize = " resize" if row["mode"] != "simple" else ""
    weights = f" ({row['weights']})" if row["weights"] != "bundled" else ""
    return f"{row['variant']} {row['image_size']}{resize}{weights}{threads_text(row['threads'])}"


def precision_label(row: dict) -> str:
    """Name the precision of a summary row.

    Args:
        row: A row of the summary frame.

    Returns:
        "PyTorch" for the reference, else the precision, starred where rewritten, with the backend when not litert.
    """
    if row["backend"] == "torch":
        return "PyTorch"
    return precision_name(row["precision"], row["rewrites"]) + (
        "" if row["backend"] == "litert" else f" {row['backend']}"
    )


def _summary_row(case: Case, rows: Sequence[Measurement], verdicts: Sequence[Verdict]) -> dict:
    plain = [row for row in rows if row.attack in {"none", ""}]
    dataset = next((row.dataset for row in plain if row.dataset), "")
    # Stable sort: the headline dataset first, then the order of the record; the first row found counts.
    plain.sort(key=lambda row: row.dataset != dataset)
    values: dict[str, float | None] = dict.fromkeys(METRICS)
    for row in reversed(plain):
        if reason_not_applicable(row.metric, case.weights) is None:
            values[row.metric] = row.value
    verdict = worst_verdict(verdicts)
    coordinates = {name: getattr(case, name) for name in CASE_COLUMNS}
    return {**coordinates, "dataset": dataset, "verdict": str(verdict), **values}


def _verdict_row(result: GateResult) -> list[object]:
    row, gate, case = result.measurement, result.gate, result.case
    return [
        result.verdict.value,
        gate.metric,
        *("" if case is None else getattr(case, name) for name in CASE_COLUMNS),
        result.dataset,
        result.attack,
        *((None, None, None) if row is None else (row.value, row.ci_low, row.ci_high)),
        METRICS[gate.metric].unit,
        gate.op,
        float(gate.limit),
        gate.judge_by,
        gate.reason,
        result.explanation,
    ]
