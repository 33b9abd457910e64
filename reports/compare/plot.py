"""The changes between two runs as a picture: each with its interval, in percent of the earlier value."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sealbench.reports.compare.changes import Change, Status
from sealbench.reports.compare.tables import SHOWN, change_label, shown_changes
from sealbench.reports.render.plots.style import blank_grid
from sealbench.reports.schema.formatting import plain_text
from sealbench.reports.schema.tasks import HEADLINES

MOST_ROWS = 30
_LONGEST_LABEL = 72
# Below this many percent the axis is linear, above logarithmic: a file that shrank by half beside a bit in a thousand.
_LINEAR_PERCENT = 1.0
_STYLES = {
    Status.WORSE: ("#D55E00", "v"),
    Status.BETTER: ("#009E73", "^"),
    Status.CHANGED: ("#0072B2", "o"),
    Status.UNCHANGED: ("#999999", "o"),
}


def compare_figure(changes: Sequence[Change]) -> Figure | None:
    """Draw what changed, and the headline metrics whose change is noise.

    Args:
        changes: What `compare` gives.

    Returns:
        The figure, at most MOST_ROWS rows, or None where nothing can be drawn.
    """
    quiet = [
        change
        for change in changes
        if change.status is Status.UNCHANGED and change.metric in HEADLINES and change.evidence != "exact"
    ]
    drawn = [(change, ends) for change in (*shown_changes(changes), *quiet) if (ends := _percent(change)) is not None]
    if not drawn:
        return None
    left = len(drawn) - MOST_ROWS
    drawn = drawn[:MOST_ROWS]
    more = f"; {left} rows more in compare.csv" if left > 0 else ""
    figure, ((axes,),) = blank_grid(
        1,
        1,
        "Change since the earlier run",
        f"percent of the earlier value, with its 95 % interval; logarithmic beyond {_LINEAR_PERCENT:g} %{more}",
        (11.0, 1.2 + 0.3 * len(drawn)),
    )
    for place, (change, (value, low, high)) in enumerate(drawn):
        color, marker = _STYLES[change.status]
        axes.hlines(place, low, high, color=color, linewidth=1.8)
        axes.plot(value, place, marker=marker, color=color, markersize=8, linestyle="")
    axes.axvline(0, color="#444444", linewidth=1)
    axes.set_xscale("symlog", linthresh=_LINEAR_PERCENT)
    furthest = max(max(abs(low), abs(high), abs(value)) for _, (value, low, high) in drawn)
    axes.set_xlim(-1.3 * max(furthest, _LINEAR_PERCENT), 1.3 * max(furthest, _LINEAR_PERCENT))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(drawn)), [_label(change) for change, _ in drawn])
    axes.set_ylim(len(drawn) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("change, %")
    present = [status for status in (*SHOWN, Status.UNCHANGED) if any(change.status is status for change, _ in drawn)]
    handles = [
        Line2D([], [], linestyle="", color=_STYLES[status][0], marker=_STYLES[status][1], label=status.value)
        for status in present
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def _percent(change: Change) -> tuple[float, float, float] | None:
    """The change and the ends of its interval in percent of the earlier value; None where there is none."""
    if change.change is None:
        return None
    low, high = (change.change if end is None else end for end in (change.low, change.high))
    if change.ratio:
        return 100 * (change.change - 1), 100 * (low - 1), 100 * (high - 1)
    if not change.before:
        return None
    scale = 100 / abs(change.before)
    return scale * change.change, scale * low, scale * high


def _label(change: Change) -> str:
    text = plain_text(f"{change_label(change)}: {change.metric}")
    short = text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 3] + "..."
    return short.replace("$", r"\$")
