"""What a smaller or faster file costs in accuracy: every file, the frontier, and what the gates rejected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D

from sealbench.reports.gates.judge import Verdict
from sealbench.reports.gates.standings import Standing
from sealbench.reports.render.labels import in_order
from sealbench.reports.render.plots.style import Picture, facets, legend_below, style_of
from sealbench.reports.render.plots.values import (
    INK,
    MEGABYTE,
    add_tip,
    goodness_of,
    largest,
    percent_ends,
    values_of,
    with_interval,
    zoom,
)
from sealbench.reports.render.record import RunRecord
from sealbench.reports.schema.formatting import PYTORCH
from sealbench.reports.schema.records import Measurement

_MOST_REASONS = 3


@dataclass(frozen=True)
class Point:
    """One file in the trade-off.

    Attributes:
        label: See `bar_label`.
        cost: In the unit of the axis; lower is better.
        percent: Bit accuracy or agreement in percent; higher is better.
        rejected: Whether a gate failed on it.
    """

    label: str
    cost: float
    percent: float
    rejected: bool


def accuracy_vs_size(record: RunRecord) -> Picture | None:
    """Draw what a smaller file costs: bit accuracy (agreement for seeded weights) against MB.

    Args:
        record: Of the run.

    Returns:
        The figure, or None without both.
    """
    return _trade_off(record, "size_bytes", 1 / MEGABYTE, "Accuracy against file size", "file size, MB")


def accuracy_vs_latency(record: RunRecord) -> Picture | None:
    """Draw what a faster model costs: bit accuracy (agreement for seeded weights) against ms.

    Args:
        record: Of the run.

    Returns:
        The figure, or None without both.
    """
    return _trade_off(record, "latency_ms", 1.0, "Accuracy against latency", "median latency, ms")


def frontier(points: Sequence[Point]) -> list[Point]:
    """Find the files that no other one beats: none is at most as costly and at least as good, and better in one.

    Args:
        points: Any.

    Returns:
        Those that the gates did not reject and that are files (PyTorch is what they are compared with), by cost.
    """
    best: list[Point] = []
    files = [point for point in points if not point.rejected and point.label != PYTORCH]
    for point in sorted(files, key=lambda point: (point.cost, -point.percent)):
        if not best or point.percent > best[-1].percent:
            best.append(point)
    return best


def _trade_off(record: RunRecord, cost: str, scale: float, title: str, cost_label: str) -> Picture | None:
    costs, good = values_of(record.measurements, cost), goodness_of(record.measurements)
    shown = {model: in_order(set(costs[model]) & set(good.get(model, {}))) for model in costs}
    models = [model for model in costs if shown[model]]
    if not models:
        return None
    subtitle = "up and left is better, vertical axis zoomed; line: the best that no gate rejects"
    figure, all_axes = facets(models, title, subtitle, [4.4] * len(models))
    standings = record.standings
    for axes, model in zip(all_axes, models, strict=True):
        points, heights = [], []
        for label in shown[model]:
            price, row = costs[model][label], good[model][label]
            standing = standings.get(row.case)
            rejected = standing is not None and standing.verdict is Verdict.FAIL
            points.append(Point(label, scale * price.value, 100 * row.value, rejected))
            _draw_point(axes, points[-1], price, row, standing)
            heights += [100 * row.value, *percent_ends(row)]
        right = 1.12 * largest(point.cost for point in points)
        _draw_frontier(axes, frontier(points), right)
        zoom(axes, heights, vertical=True)
        axes.set_xlim(0, right)
        axes.set_xlabel(cost_label)
        metrics = {good[model][label].metric for label in shown[model]}
        axes.set_ylabel("bit accuracy, %" if metrics == {"bit_accuracy"} else "bit agreement with PyTorch, %")
    legend_below(figure, in_order(label for model in models for label in shown[model]), _legend())
    return figure


def _draw_point(axes: Axes, point: Point, price: Measurement, row: Measurement, standing: Standing | None) -> None:
    color, marker = style_of(point.label)
    if ends := percent_ends(row):
        axes.vlines(point.cost, min(ends), max(ends), color=color, linewidth=1.6, alpha=0.8)
    passed = standing is not None and standing.verdict is Verdict.PASS
    (drawn,) = axes.plot(
        point.cost,
        point.percent,
        marker=marker,
        color=color,
        markersize=11,
        linestyle="",
        # Translucent: files of one size and accuracy lie upon each other.
        markerfacecolor=to_rgba(color, 0.35) if passed else "none",
        markeredgewidth=2,
        zorder=3,
    )
    words = [f"{point.label}: {with_interval(price)}, {row.metric} {with_interval(row)}", *_verdict_words(standing)]
    add_tip(drawn, *words)
    if point.rejected:
        (cross,) = axes.plot(
            point.cost, point.percent, marker="x", color=INK, markersize=15, markeredgewidth=2, linestyle="", zorder=4
        )
        add_tip(cross, *words)


def _verdict_words(standing: Standing | None) -> list[str]:
    if standing is None:
        return ["not judged"]
    word: Mapping[Verdict, str] = {
        Verdict.PASS: "no gate failed",
        Verdict.FAIL: "rejected",
        Verdict.INCONCLUSIVE: "inconclusive",
        Verdict.NOT_APPLICABLE: "no gate applied",
    }
    more = len(standing.reasons) - _MOST_REASONS
    return [word[standing.verdict], *standing.reasons[:_MOST_REASONS], f"and {more} more" if more > 0 else ""]


def _draw_frontier(axes: Axes, best: Sequence[Point], right: float) -> None:
    if not best:
        return
    costs, heights = [point.cost for point in best], [point.percent for point in best]
    # To the right edge: what costs more than the best one need not be worse.
    axes.plot(
        [*costs, right], [*heights, heights[-1]], drawstyle="steps-post", color="#777777", linewidth=1.4, zorder=1
    )


def _legend() -> list[Line2D]:
    point = {"color": INK, "linestyle": "", "markersize": 9, "markeredgewidth": 2}
    return [
        Line2D([], [], marker="o", markerfacecolor=to_rgba(INK, 0.35), label="no gate failed", **point),  # type: ignore[arg-type]
        Line2D([], [], marker="o", markerfacecolor="none", label="inconclusive or not judged", **point),  # type: ignore[arg-type]
        Line2D([], [], marker="x", label="rejected by a gate", **point),  # type: ignore[arg-type]
    ]
