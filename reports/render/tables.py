"""Summary and verdicts of a run: as a frame, as CSV with every digit, and as tables for people."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from sealbench.reports.files import write_atomically
from sealbench.reports.gates.judge import GateResult, Verdict
from sealbench.reports.gates.standings import Standing, worst_verdict
from sealbench.reports.render.labels import in_order
from sealbench.reports.render.plots.values import with_interval
from sealbench.reports.render.table import (
    CONSOLE_WIDTH,
    VERDICT_WORDS,
    Cell,
    Column,
    Table,
    console_text,
    csv_table,
    definition,
    missing_cell,
    name_cell,
    number_cell,
    verdict_cell,
)
from sealbench.reports.schema.formatting import (
    format_value,
    precision_name,
    preprocess_text,
    random_note,
    rewrites_note,
    threads_text,
)
from sealbench.reports.schema.metric import Headline
from sealbench.reports.schema.metrics import METRICS, SEEDED, reason_not_applicable
from sealbench.reports.schema.records import CASE_COLUMNS, REFERENCES, Case, Measurement
from sealbench.reports.schema.tasks import TaskReport, task_of

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
_VALUE_WIDTH = 7
_MOST_REASONS = 4


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
    return write_atomically(path, csv_table(frame.columns, frame.itertuples(index=False, name=None)))


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
    return write_atomically(path, csv_table(VERDICT_COLUMNS, map(_verdict_row, results)))


def summary_table(
    title: str,
    task: TaskReport,
    rows: Sequence[dict],
    standings: Mapping[Case, Standing] | None = None,
    measured: Mapping[tuple[Case, str, str], Measurement] | None = None,
) -> Table:
    """Show the headlines of files.

    Args:
        title: Of the table.
        task: Of their models.
        rows: Of the summary frame.
        standings: By case, for what a page says of a verdict.
        measured: By case, metric and dataset, for what a page says of a value.

    Returns:
        A row for each file. In a terminal the title stands for the model.
    """
    order = {label: place for place, label in enumerate(in_order(map(precision_label, rows)))}
    columns = (
        Column("model"),
        Column("precision", "a star: the network was exactly rewritten before its export", width=17),
        *(_headline_column(metric, headline) for metric, headline in task.headlines.items()),
        Column("gates", "the worst verdict of all gates on the file, and how many there are of each", width=12),
    )
    body = [
        (
            name_cell(model_label(row)),
            Cell(precision_label(row), order[precision_label(row)]),
            *(_value_cell(metric, row, measured or {}) for metric in task.headlines),
            _standing_cell(row, standings),
        )
        for row in rows
    ]
    return Table(title, columns, tuple(body))


def console_summary(frame: pd.DataFrame, width: int = CONSOLE_WIDTH, color: bool = False) -> str:
    """Draw the summary for a terminal.

    Args:
        frame: What `summary_frame` gives.
        width: Columns of the terminal; 97 are needed for the table.
        color: Whether to colour the verdicts with escape sequences.

    Returns:
        A table for each model, at most `width` wide. "n/a" is not measured or meaningless, and as a verdict says that
        no gate applied.
    """
    models: dict[str, list[dict]] = {}
    for row in frame.to_dict("records"):
        models.setdefault(model_label(row), []).append(row)
    blocks: list[Table | str] = [summary_table(model, models_task(rows), rows) for model, rows in models.items()]
    if note := rewrites_note(frame["rewrites"]):
        blocks.append(note)
    if (frame["weights"] == SEEDED).any():
        blocks.append("(seeded) untrained weights: size, latency and fidelity count, accuracy does not")
    if note := random_note(frame.to_dict("records")):
        blocks.append(note)
    return console_text(blocks, width, color)


def case_of(row: dict) -> Case:
    """The case of a row of the summary frame."""
    return Case(*(row[name] for name in CASE_COLUMNS))


def counts_text(standing: Standing) -> str:
    """How many verdicts of each kind a case has, e.g. "2 failed, 9 pass"."""
    return ", ".join(f"{count} {VERDICT_WORDS[verdict]}" for verdict, count in standing.counts.items())


def with_reasons(words: Sequence[str], standing: Standing) -> str:
    """Add to some words the first reasons of a standing."""
    return "; ".join([*words, *standing.reasons[:_MOST_REASONS]])


def _headline_column(metric: str, headline: Headline) -> Column:
    width = max(_VALUE_WIDTH, *map(len, headline.short.split("\n")))
    return Column(headline.heading, definition(metric), numeric=True, width=width, short=headline.short)


def _value_cell(metric: str, row: dict, measured: Mapping[tuple[Case, str, str], Measurement]) -> Cell:
    value = row[metric]
    text = format_value(metric, value)
    if value is None:
        why = "untrained weights" if METRICS[metric].needs_trained and row["weights"] == SEEDED else "not measured"
        return missing_cell(text, why)
    own = [found for images in ("", row["dataset"]) if (found := measured.get((case_of(row), metric, images)))]
    tip = f"{with_interval(own[0])}, n = {own[0].n}" if own else text
    return number_cell(value, text, tip, text.partition(" ")[0])


def _standing_cell(row: dict, standings: Mapping[Case, Standing] | None) -> Cell:
    standing = (standings or {}).get(case_of(row))
    if standings is None:
        return verdict_cell(Verdict(row["verdict"]))
    if standing is None:
        return verdict_cell(Verdict.NOT_APPLICABLE, "no gate was asked")
    return verdict_cell(standing.verdict, with_reasons([counts_text(standing)], standing))


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
        "PyTorch" or "reference", or the precision, starred where rewritten, with the backend when not litert; with the
        preprocess when not upstream's.
    """
    file = precision_name(row["precision"], row["rewrites"]) + (
        "" if row["backend"] == "litert" else f" {row['backend']}"
    )
    return REFERENCES.get(row["backend"], file) + preprocess_text(row["preprocess"])


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
