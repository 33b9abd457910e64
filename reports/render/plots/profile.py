"""The picture of `sealbench profile`: a bar for each file, divided by kind of operation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sealbench.reports.render.labels import Model, picture_text
from sealbench.reports.render.plots.style import Picture, blank_grid

# Okabe and Ito's colours, which people with any colour vision distinguish.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#7A4FA3")
_OTHER, _OTHER_COLOR = "other", "#9A9A9A"
_OUTSIDE = "////"
_BAR_INCHES = 0.85
_LEAST_LABEL = 0.05  # of the longest bar: there is room for a number in a part of this width
_LEGEND_COLUMNS = 5


@dataclass(frozen=True)
class Part:
    """What one kind of operation takes of a bar; several of one kind are added up.

    Attributes:
        kind: For example "DEPTHWISE_CONV_2D".
        ms: Time of all of its operations in one run.
        outside: Whether they run outside XNNPACK.
    """

    kind: str
    ms: float
    outside: bool


@dataclass(frozen=True)
class Bar:
    """One file.

    Attributes:
        file_ms: Time of a whole run without the profiler.
        parts: At least one.
    """

    file_ms: float
    parts: list[Part]


def draw_profile(model: Model, bars: Mapping[str, Bar]) -> Picture:
    """Draw where the time of some files goes.

    Args:
        model: Whose files they are.
        bars: For each file's label its bar, at least one.

    Returns:
        The figure (never registered with pyplot, so there is nothing to close). The kinds that take most of all files
        together have a colour each, the rest is one part; what runs outside XNNPACK is hatched. A mark shows the time
        of the whole run, since no part is scaled to fit it.
    """
    sums = {label: _summed(bar.parts) for label, bar in bars.items()}
    kinds = _largest_kinds(sums.values())
    colors = dict(zip(kinds, _COLORS, strict=False)) | {_OTHER: _OTHER_COLOR}
    figure, ((axes,),) = blank_grid(
        1,
        1,
        f"Where the time goes: {model.title}",
        f"ms of one image by kind of operation, {model.threads} threads; hatched: outside XNNPACK, on one thread",
        (10.5, 1.4 + _BAR_INCHES * len(bars)),
    )
    longest = max(max(bar.file_ms, sum(sums[label].values())) for label, bar in bars.items())
    for place, (label, bar) in enumerate(bars.items()):
        _bar(axes, place, sums[label], colors, longest)
        axes.vlines(bar.file_ms, place - 0.4, place + 0.4, color="black", linewidth=2.2)
        right = max(bar.file_ms, sum(sums[label].values()))
        text = f"  {bar.file_ms:.1f} ms"
        axes.text(right, place, text, va="center", fontsize=11, fontweight="bold", color="#333333")
    axes.set_yticks(range(len(sums)), [_label(label) for label in sums])
    axes.set_ylim(len(sums) - 0.45, -0.55)  # the first on top
    axes.set_xlim(0, 1.1 * longest)
    axes.set_xlabel("ms")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    whole = Line2D([], [], color="black", marker="|", linestyle="", markersize=13, markeredgewidth=2.2)
    whole.set_label("whole run")
    handles = [*(Patch(color=color, label=picture_text(kind)) for kind, color in colors.items()), whole]
    figure.legend(handles=handles, loc="outside lower center", ncols=_LEGEND_COLUMNS, frameon=False, fontsize=11)
    return figure


# For one bar the time by kind, and whether it is spent outside XNNPACK.
_Times = dict[tuple[str, bool], float]


def _summed(parts: Sequence[Part]) -> _Times:
    times: _Times = {}
    for part in parts:
        key = (part.kind, part.outside)
        times[key] = times.get(key, 0.0) + part.ms
    return times


def _largest_kinds(all_times: Iterable[_Times]) -> list[str]:
    """As many kinds as there are colours, the one that takes most of all bars together first."""
    totals: dict[str, float] = {}
    for times in all_times:
        for (kind, _), ms in times.items():
            totals[kind] = totals.get(kind, 0.0) + ms
    return sorted(totals, key=lambda kind: -totals[kind])[: len(_COLORS)]


def _bar(axes: Axes, place: int, times: _Times, colors: Mapping[str, str], longest: float) -> None:
    left = 0.0
    for kind, color in colors.items():
        for outside in (False, True):
            ms = sum(
                value
                for (name, is_outside), value in times.items()
                if is_outside == outside and (name if name in colors else _OTHER) == kind
            )
            if not ms:
                continue
            hatch = _OUTSIDE if outside else None
            axes.barh(place, ms, left=left, height=0.62, color=color, hatch=hatch, edgecolor="white", linewidth=0.8)
            if ms > _LEAST_LABEL * longest:
                box = {"facecolor": color, "edgecolor": "none", "pad": 1.5}  # readable over the hatching
                axes.text(left + ms / 2, place, f"{ms:.1f}", ha="center", va="center", color="white", bbox=box)
            left += ms


def _label(label: str) -> str:
    return "\n".join(picture_text(line) for line in label.split("\n"))
