"""Every timing of a run, file by file."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sealbench.reports.render.labels import Model, in_order, picture_text
from sealbench.reports.render.plots.style import Picture, facets, legend_below, style_of
from sealbench.reports.render.plots.values import INK, add_tip, labelled
from sealbench.reports.render.record import RunRecord

_ROW_INCHES = 0.48
_JITTER_SEED = 0
_JITTER = 0.26
_SHOWN_PERCENTILE = 98  # one disturbed round must not press all others to the left edge


def latency_distributions(record: RunRecord) -> Picture | None:
    """Draw each timing as a point, with the median and the 90th percentile of its file, in ms.

    Args:
        record: Of the run.

    Returns:
        The figure, or None without finite timings.
    """
    timings = record.latency[np.isfinite(record.latency["latency_ms"].astype(float))]
    timings = labelled(timings)
    groups = {model: own for model in record.models if not (own := _of_model(timings, model)).empty}
    if not groups:
        return None
    figure, all_axes = facets(
        list(groups),
        "Latency of single inferences",
        "one point a round, rounds of all files and PyTorch interleaved; further left is better",
        [1.4 + _ROW_INCHES * own["label"].nunique() for own in groups.values()],
    )
    for axes, own in zip(all_axes, groups.values(), strict=True):
        _panel(axes, own)
    handles = [
        Line2D([], [], color=INK, marker="|", linestyle="", markersize=15, markeredgewidth=2.4, label="median"),
        Line2D([], [], color=INK, marker="|", linestyle="", markersize=8, markeredgewidth=1.4, label="90th percentile"),
    ]
    legend_below(figure, [], handles)
    return figure


def _of_model(timings: pd.DataFrame, model: Model) -> pd.DataFrame:
    named = (timings["variant"] == model.variant) & (timings["image_size"] == model.image_size)
    return timings[named & (timings["threads"] == model.threads)]


def _panel(axes: Axes, timings: pd.DataFrame) -> None:
    random = np.random.default_rng(_JITTER_SEED)
    labels = in_order(timings["label"].unique())
    samples = {label: timings.loc[timings["label"] == label, "latency_ms"].to_numpy(float) for label in labels}
    right = 1.08 * max(float(np.percentile(own, _SHOWN_PERCENTILE, method="lower")) for own in samples.values()) or 1.0
    for place, (label, own) in enumerate(samples.items()):
        color, _ = style_of(label)
        heights = place + random.uniform(-_JITTER, _JITTER, len(own))
        (cloud,) = axes.plot(
            own, heights, marker="o", linestyle="", color=color, markersize=4, alpha=0.45, markeredgewidth=0
        )
        middle, slow = np.percentile(own, [50, 90])
        words = (
            f"{label}: median {middle:.3g} ms",
            f"90th percentile {slow:.3g} ms",
            f"from {own.min():.3g} to {own.max():.3g} ms in {len(own)} rounds",
        )
        add_tip(cloud, *words)
        (tick,) = axes.plot(middle, place, marker="|", color=INK, markersize=19, markeredgewidth=2.4, zorder=3)
        add_tip(tick, *words)
        axes.plot(slow, place, marker="|", color=INK, markersize=10, markeredgewidth=1.4, zorder=3)
        if outside := int((own > right).sum()):
            axes.text(right, place - 0.36, f"{outside} beyond ", ha="right", va="center", fontsize=9, color="#777777")
    axes.set_yticks(range(len(labels)), [picture_text(label) for label in labels])
    axes.set_ylim(len(labels) - 0.45, -0.55)  # the first on top
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, right)
    axes.set_xlabel("latency, ms")
