"""Intervals of what changed."""

import numpy as np
import pytest

from sealbench.reports.statistics.changes import (
    difference_interval,
    paired_difference_interval,
    quantile_ratio_interval,
)
from sealbench.reports.statistics.intervals import Interval


def mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return total / count


def test_what_a_picture_is_like_cancels_out() -> None:
    random = np.random.default_rng(0)
    level = 10 * random.normal(size=40)
    count = np.full(40, 2.0)
    ends = paired_difference_interval(
        mean, (2 * level, count), (2 * (level + 0.5 + 0.1 * random.normal(size=40)), count)
    )
    assert ends is not None
    assert 0.4 < ends.low < 0.5 < ends.high < 0.6


def test_one_picture_says_nothing_of_others() -> None:
    assert paired_difference_interval(mean, (np.ones(1), np.ones(1)), (np.zeros(1), np.ones(1))) is None


def test_the_interval_covers_no_change_as_often_as_it_says() -> None:
    covered = 0
    for trial in range(60):
        random = np.random.default_rng(trial)
        before, after = random.normal(size=(2, 8))
        ends = paired_difference_interval(mean, (before, np.ones(8)), (after, np.ones(8)))
        assert ends is not None
        covered += ends.low <= 0 <= ends.high
    assert covered >= 53  # of 60 at 95 %, eight pictures


def test_ratio_of_medians_of_two_runs() -> None:
    random = np.random.default_rng(0)
    before, after = 10 * random.lognormal(0, 0.05, 60), 12 * random.lognormal(0, 0.05, 40)
    ends = quantile_ratio_interval(before, after, 0.5)
    assert ends is not None
    assert 1.15 < ends.low < 1.2 < ends.high < 1.25
    assert quantile_ratio_interval(before[:1], after, 0.5) is None


def test_difference_of_two_intervals_is_by_square_and_add() -> None:
    found = difference_interval(10, Interval(7, 12), 20, Interval(16, 23))
    assert found == pytest.approx((10 - np.hypot(4, 2), 10 + np.hypot(3, 3)))
