"""Pictures with a bar or a point for each file: size, latency, effect of rewrites, accuracy."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sealbench.reports.render.labels import in_order, picture_text
from sealbench.reports.render.plots.style import Picture, facets, legend_below, style_of
from sealbench.reports.render.plots.values import (
    INK,
    MEGABYTE,
    Values,
    add_tip,
    largest,
    percent_ends,
    values_of,
    with_interval,
    zoom,
)
from sealbench.reports.render.record import RunRecord
from sealbench.reports.schema.formatting import PYTORCH, format_value, rewrites_note
from sealbench.reports.schema.records import NO_REWRITES, Measurement

_BAR_INCHES = 0.42


def size_by_precision(record: RunRecord) -> Picture | None:
    """Draw the size of each file in MB, and how much smaller than float32 it is.

    Args:
        record: Of the run.

    Returns:
        The figure, or None without sizes.
    """
    sizes = values_of(record.measurements, "size_bytes")
    if not sizes:
        return None
    reductions = values_of(record.measurements, "size_reduction_pct")
    figure, all_axes = _bar_facets(sizes, "File size by precision", "MB (10^6 bytes); shorter is better")
    for axes, (model, rows) in zip(all_axes, sizes.items(), strict=True):
        labels = _bars(axes, rows, 1 / MEGABYTE)
        for place, label in enumerate(labels):
            smaller = reductions.get(model, {}).get(label)
            note = f"  {format_value('size_bytes', rows[label].value)}"
            if smaller is not None and smaller.value > 0:
                note += f"  ({smaller.value:.1f} % smaller)"
            axes.text(rows[label].value / MEGABYTE, place, note, va="center", fontsize=10.5, color=INK)
        axes.set_xlim(0, 1.45 * largest(row.value / MEGABYTE for row in rows.values()))
        axes.set_xlabel("file size, MB")
    return figure


def latency_by_precision(record: RunRecord) -> Picture | None:
    """Draw the median latency with its interval and the 90th percentile, in ms.

    Args:
        record: Of the run.

    Returns:
        The figure, or None without latencies.
    """
    medians = values_of(record.measurements, "latency_ms")
    if not medians:
        return None
    slowest = values_of(record.measurements, "latency_p90_ms")
    speedups = values_of(record.measurements, "speedup_vs_torch")
    threads = " and ".join(str(count) for count in sorted({model.threads for model in medians}))
    figure, all_axes = _bar_facets(
        medians, "Latency of one image by precision", f"ms, {threads} threads; shorter is better", legend=True
    )
    for axes, (model, rows) in zip(all_axes, medians.items(), strict=True):
        labels = _bars(axes, rows)
        p90 = slowest.get(model, {})
        for place, label in enumerate(labels):
            row = rows[label]
            right = row.value
            if row.ci_low is not None and row.ci_high is not None:
                axes.hlines(place, row.ci_low, row.ci_high, color="black", linewidth=2.2, zorder=3)
                right = max(right, row.ci_high)
            if label in p90 and math.isfinite(p90[label].value):
                axes.plot(p90[label].value, place, marker="|", color="black", markersize=13, markeredgewidth=1.6)
                right = max(right, p90[label].value)
            faster = speedups.get(model, {}).get(label)
            note = f"  {format_value('latency_ms', row.value)}"
            if faster is not None and label != PYTORCH and math.isfinite(faster.value):
                note += f"  ({faster.value:.1f} x)"
            axes.text(right, place, note, va="center", fontsize=10.5, color=INK)
        everything = [row.value for row in (*rows.values(), *p90.values())]
        axes.set_xlim(0, 1.42 * largest(everything))
        axes.set_xlabel("latency, ms (in brackets: times as fast as PyTorch)")
    handles = [
        Line2D([], [], color="black", linewidth=2.2, label="95 % interval of the median"),
        Line2D(
            [], [], color="black", marker="|", linestyle="", markersize=13, markeredgewidth=1.6, label="90th percentile"
        ),
    ]
    legend_below(figure, [], handles)
    return figure


def rewrite_effect(record: RunRecord) -> Picture | None:
    """Draw the time of each rewritten file as a share of the same file's without rewrites, with its interval.

    Args:
        record: Of the run.

    Returns:
        The figure, or None where no file was measured both ways.
    """
    rewritten = [row for row in record.measurements if row.case.rewrites != NO_REWRITES and row.value > 0]
    speedups = values_of(rewritten, "speedup_vs_plain")
    if not speedups:
        return None
    names = rewrites_note(row.case.rewrites for rows in speedups.values() for row in rows.values())
    figure, all_axes = _bar_facets(
        speedups, "Time of a rewritten file relative to the plain one", f"left of 1: faster; {names}", legend=True
    )
    for axes, rows in zip(all_axes, speedups.values(), strict=True):
        labels = in_order(rows)
        _label_rows(axes, labels)
        axes.axvline(1, color="black", linewidth=1.2)
        right = 1.0
        for place, label in enumerate(labels):
            row, (color, marker) = rows[label], style_of(label)
            share = 1 / row.value
            end = share
            if row.ci_low is not None and row.ci_high is not None and row.ci_low > 0:
                end = 1 / row.ci_low
                axes.hlines(place, 1 / row.ci_high, end, color=color, linewidth=2.2)
            (point,) = axes.plot(share, place, marker=marker, color=color, markersize=9, linestyle="")
            add_tip(point, f"{label}: {share:.2f} of the plain file's time")
            axes.text(end, place, f"  {share:.2f}", va="center", fontsize=10.5, color=INK)
            right = max(right, end)
        axes.set_xlim(0, 1.15 * right)
        axes.set_xlabel("time of the rewritten file / time of the plain file")
    legend_below(
        figure,
        [],
        [Line2D([], [], color=INK, linewidth=2.2, label="98.75 % interval: 95 % over four interim analyses")],
    )
    return figure


def accuracy_by_precision(record: RunRecord) -> Picture | None:
    """Draw bit accuracy (equal to the message) and bit agreement (with PyTorch), in % on a zoomed axis.

    Args:
        record: Of the run.

    Returns:
        The figure, or None without either metric.
    """
    accuracy, agreement = (
        values_of(record.measurements, "bit_accuracy"),
        values_of(record.measurements, "bit_agreement"),
    )
    models = list(dict.fromkeys([*agreement, *accuracy]))
    if not models:
        return None
    both = {model: {**accuracy.get(model, {}), **agreement.get(model, {})} for model in models}
    figure, all_axes = _bar_facets(
        both, "Bit accuracy and bit agreement with PyTorch", "%, axis zoomed; further right is better", legend=True
    )
    for axes, model in zip(all_axes, models, strict=True):
        labels = in_order(both[model])
        _label_rows(axes, labels)
        shown: list[float] = []
        for rows, offset, filled in ((accuracy.get(model, {}), -0.16, False), (agreement.get(model, {}), 0.16, True)):
            shift = offset if model in accuracy and model in agreement else 0.0
            for place, label in enumerate(labels):
                if label in rows and math.isfinite(rows[label].value):
                    shown += _dot(axes, rows[label], place + shift, label, filled)
        zoom(axes, shown)
        note = "" if model in accuracy else " (accuracy: n/a, untrained)" if model.seeded else ""
        axes.set_xlabel(f"% of bits{note}")
    handles = [
        Line2D(
            [], [], color=INK, marker="o", linestyle="", fillstyle="none", markersize=9, label="bit accuracy (message)"
        ),
        Line2D([], [], color=INK, marker="o", linestyle="", markersize=9, label="bit agreement (PyTorch)"),
        Line2D([], [], color=INK, linewidth=1.6, label="95 % interval"),
    ]
    legend_below(figure, [], handles)
    return figure


def _bar_facets(values: Values, title: str, subtitle: str, *, legend: bool = False) -> tuple[Picture, list[Axes]]:
    room = 1.15 + (0.35 if legend else 0.0)
    return facets(list(values), title, subtitle, [room + _BAR_INCHES * len(rows) for rows in values.values()])


def _label_rows(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), [picture_text(label) for label in labels])
    axes.set_ylim(len(labels) - 0.45, -0.55)  # the first on top
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _bars(axes: Axes, rows: dict[str, Measurement], scale: float = 1.0) -> list[str]:
    labels = in_order(rows)
    bars = axes.barh(
        range(len(labels)),
        [scale * rows[label].value for label in labels],
        height=0.66,
        color=[style_of(label)[0] for label in labels],
    )
    for bar, label in zip(bars, labels, strict=True):
        add_tip(bar, f"{label}: {with_interval(rows[label])}")
    _label_rows(axes, labels)
    return labels


def _dot(axes: Axes, row: Measurement, place: float, label: str, filled: bool) -> list[float]:
    """Draw one value in percent with its interval; give what the axis must show."""
    color, marker = style_of(label)
    ends = percent_ends(row)
    if ends:
        axes.hlines(place, min(ends), max(ends), color=color, linewidth=1.6)
    (point,) = axes.plot(
        100 * row.value,
        place,
        marker="o" if not filled else marker,
        color=color,
        markersize=9,
        markerfacecolor=color if filled else "white",
        markeredgewidth=1.8,
        linestyle="",
    )
    add_tip(point, f"{label}: {row.metric} {with_interval(row)}")
    return [100 * row.value, *ends]
