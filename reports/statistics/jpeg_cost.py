"""What a precision costs under JPEG, in points of its quality."""

import math
from collections.abc import Sequence

import numpy as np

from sealbench.reports.statistics.bits import correct_bits
from sealbench.reports.statistics.flips import negative_flips, positive_flips, room_above
from sealbench.reports.statistics.intervals import FEWEST_PICTURES, Interval, clustered_mean_interval

FEWEST_QUALITIES = 3
"""Fewer qualities of JPEG do not make a curve; `sealbench.datasets.attacks.CURVE_POINTS` is the same number."""


def jpeg_quality_cost(
    qualities: Sequence[float],
    logits: np.ndarray,
    reference: np.ndarray,
    messages: np.ndarray,
    sources: np.ndarray | Sequence[str | int],
) -> tuple[float, Interval | None]:
    """How much more JPEG quality a file needs than PyTorch to read as many bits, with its 95 % interval by picture.

    Bit accuracy over quality is a rising curve, and a worse file's lies to the right of PyTorch's. The cost is how far,
    averaged over the accuracies that PyTorch's curve goes through (as Bjontegaard's delta rate averages over qualities
    of video): the area between the two curves divided by the rise of PyTorch's. Parts where neither curve rises, where
    one flipped bit would move a curve by many points, so hardly count. Between the measured qualities the curves are
    straight lines; all of them are measured on the same images.

    The cost is a ratio of two means over images, and its interval is made like that of
    `sealbench.reports.statistics.flips.accuracy_ratio_pct`: by pictures, and where nothing flipped as wide as the
    exact one of that many independent bits.

    Args:
        qualities: (k,) of JPEG, rising, at least FEWEST_QUALITIES.
        logits: (k, n, nbits) of the file at each quality.
        reference: the same of PyTorch.
        messages: (n, nbits) of 0 and 1.
        sources: (n,) names or numbers of the source pictures.

    Returns:
        The cost in points of quality, above 0 where the file is worse, and its interval, or None for fewer than
        FEWEST_PICTURES pictures. Both NaN where a logit is NaN, or PyTorch's accuracy does not rise with the quality.

    Raises:
        ValueError: the shapes do not fit, or the qualities are too few or do not rise.
    """
    steps = np.asarray(qualities, np.float64)  # (k,)
    if len(steps) < FEWEST_QUALITIES or not (np.diff(steps) > 0).all() or len(steps) != len(logits):
        raise ValueError(
            f"found qualities {list(qualities)} and logits {logits.shape}; expected at least {FEWEST_QUALITIES} rising "
            "qualities, and logits for each"
        )
    right, reference_right = (
        np.stack([correct_bits(one, messages).mean(axis=1) for one in outputs], axis=1)
        for outputs in (logits, reference)
    )  # (n, k) each
    area = np.trapezoid(reference_right - right, steps, axis=1)  # (n,)
    rises = reference_right[:, -1] - reference_right[:, 0]  # (n,)
    rise = float(rises.mean())
    if np.isnan(logits).any() or np.isnan(reference).any() or rise <= 0:
        return math.nan, Interval(math.nan, math.nan)
    cost = float(area.mean()) / rise
    around_zero = clustered_mean_interval((area - cost * rises) / rise, sources, fewest=FEWEST_PICTURES)
    if around_zero is None:
        return cost, None
    # A loss that is the same at every quality moves the whole curve down.
    points = (steps[-1] - steps[0]) / rise
    above, below = (
        points * room_above(np.stack([flips(*pair, messages) for pair in zip(logits, reference, strict=True)]))
        for flips in (negative_flips, positive_flips)
    )
    return cost, Interval(cost + min(around_zero.low, -below), cost + max(around_zero.high, above))
