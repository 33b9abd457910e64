"""Intervals of what changed between two runs. Which of them a metric takes, `sealbench.reports.compare` decides."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from sealbench.reports.statistics.intervals import CONFIDENCE, Interval, bootstrap, expanded_level


def paired_difference_interval(
    statistic: Callable[..., np.ndarray], before: Sequence[np.ndarray], after: Sequence[np.ndarray]
) -> Interval | None:
    """Interval of statistic(after) - statistic(before) where both are of the same pictures.

    A resample draws pictures, each with its sums of both runs, so that what a picture is like cancels out.

    Args:
        statistic: Of as many sums over pictures as `before` has, elementwise.
        before: Arrays (pictures,): for each picture a sum over its images.
        after: The same of the other run, the pictures in the same order.

    Returns:
        The interval, or None for a single picture, which is no evidence of others.
    """
    pictures = len(before[0])
    if pictures < 2:
        return None

    def difference(*sums: np.ndarray, axis: int = -1) -> np.ndarray:
        totals = [values.sum(axis=axis) for values in sums]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(statistic(*totals[len(before) :]) - statistic(*totals[: len(before)]))

    return bootstrap((*before, *after), difference, expanded_level(CONFIDENCE, pictures), paired=True)


def quantile_ratio_interval(before: np.ndarray, after: np.ndarray, quantile: float) -> Interval | None:
    """Interval of quantile(after) / quantile(before) of rounds that were taken at different times.

    Args:
        before: (rounds,), above 0.
        after: (other rounds,), above 0.
        quantile: In (0, 1).

    Returns:
        The interval, or None where either has a single round.
    """
    if min(len(before), len(after)) < 2:
        return None

    def ratio(first: np.ndarray, second: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(np.quantile(second, quantile, axis=axis) / np.quantile(first, quantile, axis=axis))

    return bootstrap((before, after), ratio, CONFIDENCE, paired=False)


def difference_interval(before: float, before_interval: Interval, after: float, after_interval: Interval) -> Interval:
    """Interval of after - before where both are known by their own intervals, independent of each other.

    Each end moves away from the difference by the two distances that lead there, squared and added (the square-and-add
    limits: Newcombe 1998; Zou and Donner 2008, doi:10.1002/sim.3095).

    Args:
        before: The earlier value, in the unit of the metric.
        before_interval: Its interval.
        after: The later value, in the same unit.
        after_interval: Its interval.

    Returns:
        The interval.
    """
    down = math.hypot(after - after_interval.low, before_interval.high - before)
    up = math.hypot(after_interval.high - after, before - before_interval.low)
    return Interval(after - before - down, after - before + up)
