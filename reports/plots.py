"""The pictures of a run: each takes the record, and gives a figure, or None when its metrics were not measured."""

import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.files import remove, write_atomically
from reports.formatting import format_value, rewrites_note
from reports.metric_registry import reason_not_applicable
from reports.plot_style import (
    PYTORCH,
    Model,
    bar_label,
    blank_grid,
    facets,
    file_label,
    in_order,
    legend_below,
    model_of,
    picture_text,
    style_of,
)
from reports.records import NO_ATTACK, NO_REWRITES, Measurement
from reports.robustness import robustness

# Values of a metric by model and bar: the first of the record without attack, and never one that means nothing.
Values = dict[Model, dict[str, Measurement]]

_BAR_INCHES = 0.42
_SAMPLED_POINTS = 1500
_MEGABYTE = 1e6
_SCATTER_SEED = 0
_DPI = 130
_FILE = ["precision", "rewrites", "backend"]
_INK = "#333333"


def write_plots(
    measurements: Sequence[Measurement],
    bits: pd.DataFrame,
    folder: Path,
    figures: Mapping[str, Callable[[Sequence[Measurement], pd.DataFrame], Figure | None]] | None = None,
) -> tuple[list[Path], list[str]]:
    """Draw every picture that the record has the values for.

    Args:
        measurements: The run's measurements.
        bits: The samples that the figures take; may be empty.
        folder: Where the PNG files go; must exist.
        figures: By name how each is drawn; by default FIGURES, which take what `load_bits` gives.

    Returns:
        The files written, and a sentence for each picture that could not be drawn.

    Raises:
        ReportError: A file cannot be written.
    """
    written: list[Path] = []
    problems: list[str] = []
    for name, draw in (FIGURES if figures is None else figures).items():
        path = folder / f"{name}.png"
        picture = None
        try:
            figure = draw(measurements, bits)
            picture = None if figure is None else _png(figure)
        except Exception as error:  # the verdicts stand without a picture, and the page names the one that failed
            problems.append(f"plot {name} could not be drawn: {type(error).__name__}: {error}")
        if picture is None:
            remove(path)  # an older picture would show another record
        else:
            written.append(write_atomically(path, picture))
    return written, problems


def size_by_precision(measurements: Sequence[Measurement], bits: pd.DataFrame) -> Figure | None:
    """Draw the size of each file in MB, and how much smaller than float32 it is.

    Args:
        measurements: The run's measurements.
        bits: Not used.

    Returns:
        The figure, or None without sizes.
    """
    sizes = _values(measurements, "size_bytes")
    if not sizes:
        return None
    reductions = _values(measurements, "size_reduction_pct")
    figure, all_axes = _bar_facets(sizes, "File size by precision", "MB (10^6 bytes); shorter is better")
    for axes, (model, rows) in zip(all_axes, sizes.items(), strict=True):
        labels = _bars(axes, {label: row.value / _MEGABYTE for label, row in rows.items()})
        for place, label in enumerate(labels):
            smaller = reductions.get(model, {}).get(label)
            note = f"  {format_value('size_bytes', rows[label].value)}"
            if smaller is not None and smaller.value > 0:
                note += f"  ({smaller.value:.1f} % smaller)"
            axes.text(rows[label].value / _MEGABYTE, place, note, va="center", fontsize=10.5, color=_INK)
        axes.set_xlim(0, 1.45 * _largest(row.value / _MEGABYTE for row in rows.values()))
        axes.set_xlabel("file size, MB")
    return figure


def latency_by_precision(measurements: Sequence[Measurement], bits: pd.DataFrame) -> Figure | None:
    """Draw the median latency with its interval and the 90th percentile, in ms.

    Args:
        measurements: The run's measurements.
        bits: Not used.

    Returns:
        The figure, or None without latencies.
    """
    medians = _values(measurements, "latency_ms")
    if not medians:
        return None
    slowest = _values(measurements, "latency_p90_ms")
    speedups = _values(measurements, "speedup_vs_torch")
    threads = " and ".join(str(count) for count in sorted({model.threads for model in medians}))
    figure, all_axes = _bar_facets(
        medians, "Latency of one image by precision", f"ms, {threads} threads; shorter is better", legend=True
    )
    for axes, (model, rows) in zip(all_axes, medians.items(), strict=True):
        labels = _bars(axes, {label: row.value for label, row in rows.items()})
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
            axes.text(right, place, note, va="center", fontsize=10.5, color=_INK)
        everything = [row.value for row in (*rows.values(), *p90.values())]
        axes.set_xlim(0, 1.42 * _largest(everything))
        axes.set_xlabel("latency, ms (in brackets: times as fast as PyTorch)")
    handles = [
        Line2D([], [], color="black", linewidth=2.2, label="95 % interval of the median"),
        Line2D(
            [], [], color="black", marker="|", linestyle="", markersize=13, markeredgewidth=1.6, label="90th percentile"
        ),
    ]
    legend_below(figure, [], handles)
    return figure


def rewrite_effect(measurements: Sequence[Measurement], bits: pd.DataFrame) -> Figure | None:
    """Draw the time of each rewritten file as a share of the same file's without rewrites, with its interval.

    Args:
        measurements: The run's measurements.
        bits: Not used.

    Returns:
        The figure, or None where no file was measured both ways.
    """
    rewritten = [row for row in measurements if row.rewrites != NO_REWRITES and row.value > 0]
    speedups = _values(rewritten, "speedup_vs_plain")
    if not speedups:
        return None
    names = rewrites_note(row.rewrites for rows in speedups.values() for row in rows.values())
    figure, all_axes = _bar_facets(
        speedups, "Time of a rewritten file against the plain one", f"left of 1: faster; {names}", legend=True
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
            axes.plot(share, place, marker=marker, color=color, markersize=9, linestyle="")
            axes.text(end, place, f"  {share:.2f}", va="center", fontsize=10.5, color=_INK)
            right = max(right, end)
        axes.set_xlim(0, 1.15 * right)
        axes.set_xlabel("time of the rewritten file / time of the plain file")
    legend_below(figure, [], [Line2D([], [], color=_INK, linewidth=2.2, label="95 % interval")])
    return figure


def accuracy_by_precision(measurements: Sequence[Measurement], bits: pd.DataFrame) -> Figure | None:
    """Draw bit accuracy (against the message) and bit agreement (with PyTorch), in % on a zoomed axis.

    Args:
        measurements: The run's measurements.
        bits: Not used.

    Returns:
        The figure, or None without either metric.
    """
    accuracy, agreement = _values(measurements, "bit_accuracy"), _values(measurements, "bit_agreement")
    models = list(dict.fromkeys([*agreement, *accuracy]))
    if not models:
        return None
    both = {model: {**accuracy.get(model, {}), **agreement.get(model, {})} for model in models}
    figure, all_axes = _bar_facets(
        both, "Bits right and bits in agreement with PyTorch", "%, axis zoomed; further right is better", legend=True
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
        _zoom(axes, shown)
        note = "" if model in accuracy else " (accuracy: n/a, untrained)" if model.seeded else ""
        axes.set_xlabel(f"% of bits{note}")
    handles = [
        Line2D(
            [], [], color=_INK, marker="o", linestyle="", fillstyle="none", markersize=9, label="bit accuracy (message)"
        ),
        Line2D([], [], color=_INK, marker="o", linestyle="", markersize=9, label="bit agreement (PyTorch)"),
        Line2D([], [], color=_INK, linewidth=1.6, label="95 % interval"),
    ]
    legend_below(figure, [], handles)
    return figure


def logits_scatter(measurements: Sequence[Measurement], bits: pd.DataFrame) -> Figure | None:
    """Draw the bit logits of watermarked images against the reference's, for each model and precision.

    Args:
        measurements: The run's measurements, for the order and the labels of the models.
        bits: What `load_bits` gives.

    Returns:
        The figure, or None without finite pairs of logits.
    """
    pairs = bits[np.isfinite(bits["logit"].astype(float)) & np.isfinite(bits["reference_logit"].astype(float))]
    # A bit whose message is known is one of a watermarked image: channel 0 and plain images have none.
    pairs = pairs[(pairs["backend"] != "torch") & pairs["message"].notna() & (pairs["attack"] == NO_ATTACK)]
    if pairs.empty:
        return None
    names = {(row.variant, row.image_size): model_of(row.case).title for row in reversed(measurements)}
    groups = {
        (str(name), str(size)): group for (name, size), group in pairs.groupby(["variant", "image_size"], sort=False)
    }
    labels = {
        key: pd.Series(
            [file_label(*row) for row in group[_FILE].itertuples(index=False)], index=group.index, dtype=object
        )
        for key, group in groups.items()
    }
    columns = in_order(label for series in labels.values() for label in series.unique())
    figure, grid = blank_grid(
        len(groups),
        len(columns),
        "Bit logits of watermarked images against the PyTorch reference",
        f"up to {_SAMPLED_POINTS} sampled bits a panel; on the line: equal; shaded: the bit has flipped",
        (3.1 * len(columns), 3.3 * len(groups)),
    )
    for line, (key, group) in zip(grid, groups.items(), strict=True):
        limit = 1.05 * float(group[["logit", "reference_logit"]].abs().to_numpy().max()) or 1.0
        for axes, label in zip(line, columns, strict=True):
            _scatter_panel(axes, group[labels[key] == label], label, limit)
        line[0].set_ylabel(names.get(key, picture_text(key[0])).replace(" - ", "\n") + "\nlogit", fontsize=10.5)
    for axes in grid[-1]:
        axes.set_xlabel("PyTorch logit")
    return figure


def accuracy_vs_size(measurements: Sequence[Measurement], bits: pd.DataFrame) -> Figure | None:
    """Draw what a smaller file costs: bit accuracy (agreement for seeded weights) against MB.

    Args:
        measurements: The run's measurements.
        bits: Not used.

    Returns:
        The figure, or None without both.
    """
    return _trade_off(measurements, "size_bytes", 1 / _MEGABYTE, "Accuracy against file size", "file size, MB")


def accuracy_vs_latency(measurements: Sequence[Measurement], bits: pd.DataFrame) -> Figure | None:
    """Draw what a faster model costs: bit accuracy (agreement for seeded weights) against ms.

    Args:
        measurements: The run's measurements.
        bits: Not used.

    Returns:
        The figure, or None without both.
    """
    return _trade_off(measurements, "latency_ms", 1.0, "Accuracy against latency", "median latency, ms")


FIGURES: dict[str, Callable[[Sequence[Measurement], pd.DataFrame], Figure | None]] = {
    draw.__name__: draw
    for draw in (
        size_by_precision,
        latency_by_precision,
        rewrite_effect,
        accuracy_by_precision,
        logits_scatter,
        accuracy_vs_size,
        accuracy_vs_latency,
        robustness,
    )
}


def _values(measurements: Sequence[Measurement], metric: str) -> Values:
    found: Values = {}
    for row in measurements:
        usable = row.metric == metric and row.attack in {"none", ""} and math.isfinite(row.value)
        if usable and reason_not_applicable(metric, row.weights) is None:
            found.setdefault(model_of(row.case), {}).setdefault(bar_label(row.case), row)
    return found


def _bar_facets(values: Values, title: str, subtitle: str, *, legend: bool = False) -> tuple[Figure, list[Axes]]:
    bars = max(len(rows) for rows in values.values())
    height = 1.15 + _BAR_INCHES * bars + (0.35 if legend else 0.0)
    return facets(list(values), title, subtitle, height)


def _label_rows(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), [picture_text(label) for label in labels])
    axes.set_ylim(len(labels) - 0.45, -0.55)  # the first on top
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _bars(axes: Axes, values: dict[str, float]) -> list[str]:
    labels = in_order(values)
    axes.barh(
        range(len(labels)),
        [values[label] for label in labels],
        height=0.66,
        color=[style_of(label)[0] for label in labels],
    )
    _label_rows(axes, labels)
    return labels


def _dot(axes: Axes, row: Measurement, place: float, label: str, filled: bool) -> list[float]:
    """Draw one value in percent with its interval; give what the axis must show."""
    color, marker = style_of(label)
    ends = [100 * end for end in (row.ci_low, row.ci_high) if end is not None and math.isfinite(end)]
    if ends:
        axes.hlines(place, min(ends), max(ends), color=color, linewidth=1.6)
    axes.plot(
        100 * row.value,
        place,
        marker="o" if not filled else marker,
        color=color,
        markersize=9,
        markerfacecolor=color if filled else "white",
        markeredgewidth=1.8,
        linestyle="",
    )
    return [100 * row.value, *ends]


def _zoom(axes: Axes, shown: Sequence[float], *, vertical: bool = False) -> None:
    """Show the values and a little more; never less than 1 percentage point, so that noise stays small."""
    low, high = min(shown), max(shown)
    room = max(0.15 * (high - low), 0.15)
    low, high = low - room, high + room
    if high - low < 1:
        low = high - 1
    (axes.set_ylim if vertical else axes.set_xlim)(low, high)


def _largest(values: Iterable[float]) -> float:
    return max((value for value in values if math.isfinite(value)), default=0.0) or 1.0


def _scatter_panel(axes: Axes, group: pd.DataFrame, label: str, limit: float) -> None:
    axes.set_title(picture_text(label))
    axes.set_xlim(-limit, limit)
    axes.set_ylim(-limit, limit)
    axes.set_aspect("equal")
    if group.empty:
        axes.text(0, 0, "not measured", ha="center", va="center", color="#777777")
        return
    error = float((group["logit"] - group["reference_logit"]).abs().mean())
    flipped = float(((group["logit"] > 0) != (group["reference_logit"] > 0)).mean())
    axes.fill_between([-limit, 0], 0, limit, color="#D55E00", alpha=0.07, linewidth=0)
    axes.fill_between([0, limit], -limit, 0, color="#D55E00", alpha=0.07, linewidth=0)
    axes.plot([-limit, limit], [-limit, limit], color="#777777", linewidth=1)
    points = group.sample(min(len(group), _SAMPLED_POINTS), random_state=_SCATTER_SEED)
    axes.scatter(points["reference_logit"], points["logit"], s=9, color=style_of(label)[0], alpha=0.45, linewidth=0)
    text = f"MAE {error:.2g}\n{100 * flipped:.2f} % flipped"
    axes.text(0.04, 0.96, text, transform=axes.transAxes, va="top", fontsize=10, color=_INK)


def _trade_off(
    measurements: Sequence[Measurement], cost: str, scale: float, title: str, cost_label: str
) -> Figure | None:
    costs = _values(measurements, cost)
    accuracy, agreement = _values(measurements, "bit_accuracy"), _values(measurements, "bit_agreement")
    good = {model: accuracy.get(model, agreement.get(model, {})) for model in costs}
    shown = {model: in_order(set(costs[model]) & set(good[model])) for model in costs}
    models = [model for model in costs if shown[model]]
    if not models:
        return None
    figure, all_axes = facets(models, title, "up and left is better; vertical axis zoomed", height=4.2)
    for axes, model in zip(all_axes, models, strict=True):
        heights: list[float] = []
        for label in shown[model]:
            color, marker = style_of(label)
            x, row = scale * costs[model][label].value, good[model][label]
            ends = [100 * end for end in (row.ci_low, row.ci_high) if end is not None and math.isfinite(end)]
            if ends:
                axes.vlines(x, min(ends), max(ends), color=color, linewidth=1.6, alpha=0.8)
            axes.plot(
                x,
                100 * row.value,
                marker=marker,
                color=color,
                markersize=11,
                linestyle="",
                markerfacecolor="none",
                markeredgewidth=2,
            )
            heights += [100 * row.value, *ends]
        _zoom(axes, heights, vertical=True)
        axes.set_xlim(0, 1.12 * _largest(scale * costs[model][label].value for label in shown[model]))
        axes.set_xlabel(cost_label)
        axes.set_ylabel("bit accuracy, %" if model in accuracy else "bit agreement with PyTorch, %")
    legend_below(figure, in_order(label for model in models for label in shown[model]))
    return figure


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # No time stamp and no version inside: the same record gives the same file.
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()
