"""Intervals of what changed between two runs. scipy does the statistics; this module says what is resampled.

Every bootstrap has a fixed seed: the same samples give the same interval to the last digit.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
_RESAMPLES = 2000
_SEED = 20250101


class Ends(NamedTuple):
    """Both ends of a 95 % interval."""

    low: float
    high: float


def expanded_level(confidence: float, count: int) -> float:
    """Level whose normal interval, with the bootstrap's standard deviation, is the t interval of `count` values.

    A percentile bootstrap of few values is too narrow; its percentiles are moved out to this level (the expanded
    percentile interval: Hesterberg, What Teachers Should Know About the Bootstrap, 2015).

    Args:
        confidence: In (0, 1).
        count: How many values are resampled, at least 2.

    Returns:
        The level, in (0, 1), above `confidence`.
    """
    t = stats.t.ppf((1 + confidence) / 2, count - 1)
    return float(1 - 2 * stats.norm.sf(t * math.sqrt(count / (count - 1))))


def paired_ends(
    statistic: Callable[..., np.ndarray], before: Sequence[np.ndarray], after: Sequence[np.ndarray]
) -> Ends | None:
    """Interval of statistic(after) - statistic(before) where both are of the same pictures.

    A resample draws pictures, each with its sums of both runs, so that what a picture is like cancels out.

    Args:
        statistic: Of as many sums over pictures as `before` has, elementwise.
        before: Arrays (pictures,): for each picture a sum over its images.
        after: The same of the other run, the pictures in the same order.

    Returns:
        The interval, or None for a single picture, which says nothing of others.
    """
    pictures = len(before[0])
    if pictures < 2:
        return None

    def difference(*sums: np.ndarray, axis: int = -1) -> np.ndarray:
        totals = [values.sum(axis=axis) for values in sums]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(statistic(*totals[len(before) :]) - statistic(*totals[: len(before)]))

    return bootstrap((*before, *after), difference, expanded_level(CONFIDENCE, pictures), paired=True)


def quantile_ratio_ends(before: np.ndarray, after: np.ndarray, quantile: float) -> Ends | None:
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


def difference_ends(before: float, before_ends: Ends, after: float, after_ends: Ends) -> Ends:
    """Interval of after - before where both are known by their own intervals, independent of each other.

    Each end moves away from the difference by the two distances that lead there, squared and added (the square-and-add
    limits: Newcombe 1998; Zou and Donner 2008, doi:10.1002/sim.3095).

    Args:
        before: The earlier value, in the unit of the metric.
        before_ends: Its interval.
        after: The later value, in the same unit.
        after_ends: Its interval.

    Returns:
        The interval.
    """
    down = math.hypot(after - after_ends.low, before_ends.high - before)
    up = math.hypot(after_ends.high - after, before - before_ends.low)
    return Ends(after - before - down, after - before + up)


def mcnemar_pvalue(lost: int, gained: int) -> float:
    """McNemar's exact two-sided test that as many bits were gained as lost; 1 where none changed.

    Args:
        lost: How many bits the earlier run alone has right; 0 or more.
        gained: How many the later run alone has right; 0 or more.

    Returns:
        The p-value, in (0, 1].
    """
    return float(stats.binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0


def bootstrap(data: tuple[np.ndarray, ...], statistic: Any, confidence: float, *, paired: bool) -> Ends:
    """Percentile bootstrap. A new generator each time: no call depends on the calls before it.

    Args:
        data: Arrays (n,), of one length where `paired`.
        statistic: Of as many arrays, along `axis`.
        confidence: In (0, 1).
        paired: Whether a resample draws the same places of all arrays.

    Returns:
        The interval, in the unit of the statistic.
    """
    found = stats.bootstrap(
        data,
        statistic,
        paired=paired,
        vectorized=True,
        n_resamples=_RESAMPLES,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return Ends(float(found.low), float(found.high))
