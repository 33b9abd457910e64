"""What several pictures share: values by model and bar, and axes that fit them."""

import math
from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from sealbench.reports.render.labels import Model, bar_label, model_of
from sealbench.reports.schema.formatting import file_label, format_value, plain_text
from sealbench.reports.schema.metrics import reason_not_applicable
from sealbench.reports.schema.records import UNATTACKED, Measurement

# Values of a metric by model and bar: the first of the record without attack, and never one that means nothing.
Values = dict[Model, dict[str, Measurement]]

MEGABYTE = 1e6
INK = "#333333"
TIP = "tip:"
"""An artist whose gid begins so carries the words that a page shows for it."""
_FILE = ["precision", "rewrites", "backend"]


def values_of(measurements: Iterable[Measurement], metric: str) -> Values:
    """Find the values of a metric that pictures may show.

    Args:
        measurements: Any.
        metric: A known metric's name.

    Returns:
        The first finite value without attack by model and bar; none that means nothing for its weights.
    """
    found: Values = {}
    for row in measurements:
        usable = row.metric == metric and row.attack in UNATTACKED and math.isfinite(row.value)
        if usable and reason_not_applicable(metric, row.case.weights) is None:
            found.setdefault(model_of(row.case), {}).setdefault(bar_label(row.case), row)
    return found


def goodness_of(measurements: Sequence[Measurement]) -> Values:
    """Find how well each file reads bits.

    Args:
        measurements: Any.

    Returns:
        Bit accuracy, or where it means nothing or was not measured, bit agreement with PyTorch.
    """
    return values_of(measurements, "bit_agreement") | values_of(measurements, "bit_accuracy")


def labelled(samples: pd.DataFrame) -> pd.DataFrame:
    """Name the file of every sample.

    Args:
        samples: Rows with the columns precision, rewrites and backend, all of upstream's resize.

    Returns:
        The same rows with a column `label`.
    """
    names = [file_label(*row) for row in samples[_FILE].itertuples(index=False)]
    return samples.assign(label=pd.Series(names, index=samples.index, dtype=object))


def add_tip(artist: Artist, *words: str) -> None:
    """Give an artist the tip that a page shows when the reader points at it.

    Args:
        artist: Any.
        *words: Shown one after the other.
    """
    artist.set_gid(TIP + plain_text("; ".join(word for word in words if word)))


def with_interval(row: Measurement) -> str:
    """Write a value and its interval for people.

    Args:
        row: Any measurement.

    Returns:
        For example "99.87 % (99.81 % to 99.93 %)".
    """
    value = format_value(row.metric, row.value)
    if row.ci_low is None or row.ci_high is None:
        return value
    low, high = (format_value(row.metric, end) for end in (row.ci_low, row.ci_high))
    return f"{value} ({low} to {high})"


def percent_ends(row: Measurement) -> list[float]:
    """The finite ends of the interval of a fraction, in percent."""
    return [100 * end for end in (row.ci_low, row.ci_high) if end is not None and math.isfinite(end)]


def zoom(axes: Axes, shown: Sequence[float], *, vertical: bool = False) -> None:
    """Show values in percent and a little more; never less than 1 point, so that noise stays small.

    Args:
        axes: Where.
        shown: What must be seen, at least one finite value.
        vertical: Whether on the vertical axis.
    """
    low, high = min(shown), max(shown)
    room = max(0.15 * (high - low), 0.15)
    low, high = low - room, high + room
    if high - low < 1:
        low = high - 1
    (axes.set_ylim if vertical else axes.set_xlim)(low, high)


def largest(values: Iterable[float]) -> float:
    """The largest finite value, in the unit of all; 1 where there is none or it is 0, so that an axis has a length."""
    return max((value for value in values if math.isfinite(value)), default=0.0) or 1.0
