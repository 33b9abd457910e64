"""A history as table, CSV, picture and page."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sealbench.reports.compare.files import COMPARISON_DPI
from sealbench.reports.compare.history import Point
from sealbench.reports.files import os_errors_as_report_errors, write_atomically
from sealbench.reports.render.labels import Model, bar_label, in_order, model_of, picture_text
from sealbench.reports.render.page.templates import embedded, page
from sealbench.reports.render.plots.style import blank_grid, legend_below, png, style_of
from sealbench.reports.render.table import (
    Column,
    Table,
    console_text,
    csv_table,
    missing_cell,
    name_cell,
    number_cell,
)
from sealbench.reports.schema.formatting import case_label, format_value
from sealbench.reports.schema.metrics import METRICS
from sealbench.reports.schema.records import CASE_COLUMNS, Case
from sealbench.reports.schema.tasks import HEADLINES

HISTORY_COLUMNS = (
    "time",
    "run_id",
    "git_commit",
    *CASE_COLUMNS,
    "dataset",
    "metric",
    "value",
    "unit",
    "ci_low",
    "ci_high",
    "segment",
)
# One metric stands for each question: how large, how fast, how good. The first that was measured is drawn.
_DRAWN = (
    ("size_bytes",),
    ("latency_ms",),
    ("bit_accuracy", "bit_agreement", "score_error_pct", "feature_error_pct"),
)
_SCALES = {"bytes": (1e-6, "MB"), "fraction": (100.0, "%")}
_SHORT_COMMIT, _MOST_TICKS = 10, 12


def history_csv(points: Sequence[Point]) -> str:
    """Write every point, no digit lost.

    Args:
        points: What `history` gives.

    Returns:
        CSV with the columns HISTORY_COLUMNS.
    """
    rows = [
        (
            point.time.isoformat(),
            point.run_id,
            point.commit,
            *(getattr(point.case, name) for name in CASE_COLUMNS),
            point.dataset,
            point.metric,
            point.value,
            METRICS[point.metric].unit,
            point.low,
            point.high,
            point.segment,
        )
        for point in points
    ]
    return csv_table(HISTORY_COLUMNS, rows)


def history_console(points: Sequence[Point]) -> str:
    """Draw the first and the last value of each line for a terminal.

    Args:
        points: What `history` gives.

    Returns:
        A table of at most 100 columns. A bar before the number of runs says that the line is broken: its first and its
        last value cannot be compared.
    """
    columns = (
        Column("of", width=42),
        Column("metric", width=20),
        *(Column(heading, numeric=True, width=width) for heading, width in (("runs", 5), ("first", 12), ("last", 12))),
    )
    rows = [
        (
            name_cell(_label(case, dataset)),
            name_cell(metric),
            number_cell(len(line), f"{'|' if line[-1].segment else ''}{len(line)}"),
            *(number_cell(point.value, format_value(metric, point.value)) for point in (line[0], line[-1])),
        )
        for (case, dataset, metric), line in lines(points).items()
    ]
    return console_text([Table("", columns, tuple(rows))])


def lines(points: Sequence[Point]) -> dict[tuple[Case, str, str], list[Point]]:
    """Put points together that are of the same case, dataset and metric.

    Args:
        points: What `history` gives.

    Returns:
        The lines, each in order of time; the metrics of a case in the order of the headlines.
    """
    found: dict[tuple[Case, str, str], list[Point]] = {}
    for point in points:
        found.setdefault((point.case, point.dataset, point.metric), []).append(point)
    cases = list(dict.fromkeys(point.case for point in points))
    order = sorted(found, key=lambda key: (cases.index(key[0]), HEADLINES.index(key[2])))
    return {key: found[key] for key in order}


def history_figure(points: Sequence[Point]) -> Figure | None:
    """Draw size, latency and accuracy of every model over the runs; a line breaks where it cannot be compared.

    Args:
        points: What `history` gives.

    Returns:
        The figure, or None without points.
    """
    if not points:
        return None
    models = list(dict.fromkeys(model_of(point.case) for point in points))
    figure, grid = blank_grid(
        len(models),
        len(_DRAWN),
        "Headline metrics over the runs",
        "a line breaks where weights, images or, for times, the machine are others",
        (5.0 * len(_DRAWN), 3.2 * len(models)),
    )
    names = {point.run: point.time.strftime("%m-%d %H:%M") for point in points}
    for row, model in zip(grid, models, strict=True):
        for axes, choices in zip(row, _DRAWN, strict=True):
            _draw(axes, model, [point for point in points if model_of(point.case) == model], choices)
            shown = sorted(names)[:: math.ceil(len(names) / _MOST_TICKS)]
            axes.set_xticks(shown, [names[number] for number in shown], rotation=30, ha="right", fontsize=9)
        row[0].set_title(model.title)
    legend_below(figure, in_order(bar_label(point.case) for point in points))
    return figure


def write_history(points: Sequence[Point], notes: Sequence[str], folder: Path) -> list[Path]:
    """Write history.csv, history.png and history.html.

    Args:
        points: What `history` gives.
        notes: What was skipped.
        folder: Where to; made when missing.

    Returns:
        What was written.

    Raises:
        ReportError: A file cannot be written.
    """
    with os_errors_as_report_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    files = [write_atomically(folder / "history.csv", history_csv(points))]
    figure = history_figure(points)
    picture = None if figure is None else png(figure, COMPARISON_DPI)
    if picture is not None:
        files.append(write_atomically(folder / "history.png", picture))
    return [*files, write_atomically(folder / "history.html", _page(points, notes, picture))]


def _draw(axes: Axes, model: Model, points: Sequence[Point], choices: Sequence[str]) -> None:
    measured = {point.metric for point in points}
    metric = next((name for name in choices if name in measured), None)
    if metric is None:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", va="center", color="#777777")
        return
    scale, unit = _SCALES.get(METRICS[metric].unit, (1.0, METRICS[metric].unit))
    for (case, _, name), line in lines(points).items():
        if name != metric:
            continue
        color, marker = style_of(bar_label(case))
        for segment in dict.fromkeys(point.segment for point in line):
            part = [point for point in line if point.segment == segment]
            axes.plot(
                [point.run for point in part],
                [scale * point.value for point in part],
                color=color,
                marker=marker,
                markerfacecolor="none",
                linewidth=1.5,
            )
    axes.set_ylabel(f"{picture_text(metric)}, {unit}")


def _page(points: Sequence[Point], notes: Sequence[str], picture: bytes | None) -> str:
    runs = list(dict.fromkeys((point.run, point.run_id, point.time, point.commit) for point in points))
    columns = (
        Column("of"),
        Column("metric"),
        *(
            Column(f"{time:%Y-%m-%d %H:%M}", f"{run_id} {commit[:_SHORT_COMMIT]}", numeric=True)
            for _, run_id, time, commit in runs
        ),
    )
    rows = []
    for (case, dataset, metric), line in lines(points).items():
        breaks = {late.run for early, late in pairwise(line) if early.segment != late.segment}
        values = {
            point.run: number_cell(
                point.value, ("| " if point.run in breaks else "") + format_value(metric, point.value)
            )
            for point in line
        }
        cells = [values.get(number, missing_cell("")) for number, *_ in runs]
        rows.append((name_cell(_label(case, dataset)), name_cell(metric), *cells))
    return page(
        "history.html.j2",
        {
            "runs": len(runs),
            "values": Table("Values by run", columns, tuple(rows)),
            "notes": notes,
            "picture": embedded(picture),
        },
    )


def _label(case: Case, dataset: str) -> str:
    return case_label(case) + (f", {dataset}" if dataset else "")
