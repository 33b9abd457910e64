import math

import numpy as np
import pytest
from scipy import stats

from sealbench.reports.statistics.intervals import (
    clustered_mean_interval,
    median_ratio_interval,
    proportion_interval,
    quantile_interval,
)


def test_images_of_one_picture_count_as_one() -> None:
    rng = np.random.default_rng(1)
    by_picture = rng.normal(0, 1, 8)
    values = np.repeat(by_picture, 25)  # 25 equal crops of each of 8 pictures
    clusters = np.repeat(np.arange(8), 25)
    clustered = clustered_mean_interval(values, clusters)
    alone = clustered_mean_interval(by_picture, np.arange(8))
    naive = clustered_mean_interval(values, np.arange(200))
    assert clustered is not None
    assert naive is not None
    assert clustered == pytest.approx(alone)  # more crops of the same pictures make nothing surer
    assert clustered.high - clustered.low > 3 * (naive.high - naive.low)
    assert clustered.low < values.mean() < clustered.high


def test_clusters_weigh_by_their_images() -> None:
    interval = clustered_mean_interval(np.array([1.0, 1.0, 1.0, 0.0]), ["a", "a", "a", "b"])
    assert interval == (0.0, 1.0)  # resamples of two pictures: only a, only b, or both


def test_the_interval_of_few_clusters_is_as_wide_as_the_t_interval() -> None:
    """A plain percentile bootstrap of 8 values has 0.78 of that width."""
    values = np.random.default_rng(8).normal(0, 1, (20, 8))
    half = stats.t.ppf(0.975, 7) * values.std(axis=1, ddof=1) / math.sqrt(8)
    intervals = [clustered_mean_interval(row, np.arange(8)) for row in values]
    widths = [interval.high - interval.low for interval in intervals if interval is not None]
    assert np.mean(widths / (2 * half)) == pytest.approx(1, abs=0.06)


@pytest.mark.long
def test_the_interval_covers_what_it_says() -> None:
    count = 8
    rng = np.random.default_rng(count)
    covered = 0
    for values in rng.normal(0, 1, (300, count)):
        interval = clustered_mean_interval(values, np.arange(count))
        assert interval is not None
        covered += interval.low <= 0 <= interval.high
    # A plain percentile bootstrap would cover 0.88 with 8 pictures.
    assert 0.91 <= covered / 300 <= 0.99


def test_bits_count_by_their_image() -> None:
    bits = np.array([[True, True], [True, False], [False, False]])
    assert clustered_mean_interval(bits, [0, 1, 2]) == clustered_mean_interval(np.array([1.0, 0.5, 0.0]), [0, 1, 2])


def test_the_same_samples_give_the_same_interval() -> None:
    values, clusters = np.random.default_rng(0).random((200, 256)) > 0.01, [str(i % 8) for i in range(200)]
    first = clustered_mean_interval(values, clusters)
    median_ratio_interval(np.arange(1.0, 9), np.arange(2.0, 10))  # a call between them changes nothing
    assert clustered_mean_interval(values, clusters) == first


def test_where_nothing_varies_and_where_nothing_can_be_said() -> None:
    assert clustered_mean_interval(np.ones(6), [0, 0, 1, 1, 2, 2]) == (1.0, 1.0)
    assert clustered_mean_interval(np.array([0.0, 1.0]), ["one", "one"]) is None
    unknown = clustered_mean_interval(np.array([0.0, math.nan, 1.0]), [0, 1, 2])
    assert unknown is not None
    assert all(math.isnan(end) for end in unknown)
    with pytest.raises(ValueError, match="3 values and 2 clusters"):
        clustered_mean_interval(np.ones(3), [0, 1])
    with pytest.raises(ValueError, match="0 values"):
        clustered_mean_interval(np.ones(0), [])


def test_proportions() -> None:
    # Clopper-Pearson of 0 of n is [0, 1 - (alpha / 2)^(1 / n)].
    assert proportion_interval(0, 10, "exact") == pytest.approx((0.0, 1 - 0.025**0.1))
    # Wilson of 5 of 10: centre 1/2, half width z sqrt(n / 4 + z^2 / 4) / (n + z^2).
    z = 1.959963984540054
    half = z * math.sqrt(10 / 4 + z * z / 4) / (10 + z * z)
    assert proportion_interval(5, 10) == pytest.approx((0.5 - half, 0.5 + half))
    assert proportion_interval(0, 0) is None


def test_quantiles_lie_between_order_statistics() -> None:
    values = np.random.default_rng(0).permutation(np.arange(1.0, 31))  # 1 .. 30
    # B binomial(30, 1/2): P(B <= 9) = 0.0214 < 0.025 < P(B <= 10): from the 10th to the 21st value.
    assert quantile_interval(values) == (10.0, 21.0)
    assert quantile_interval(values, 0.99) == (28.0, math.inf)  # 0.99^30 > 0.025: nothing bounds it from above
    assert quantile_interval(values[:5]) == (-math.inf, math.inf)  # 2^-5 > 0.025
    assert quantile_interval(np.arange(367.0), 0.99).high == math.inf
    assert quantile_interval(np.arange(368.0), 0.99).high == 367.0  # 0.99^368 < 0.025


def test_ratio_of_medians_is_paired_by_round() -> None:
    rng = np.random.default_rng(3)
    load = rng.uniform(1, 4, 40)  # a machine that is up to four times as slow for a while
    paired = median_ratio_interval(2 * load, load)
    assert paired == pytest.approx((2.0, 2.0))  # every round says the same
    unpaired = median_ratio_interval(2 * load, rng.permutation(load))
    assert unpaired is not None
    assert unpaired.high - unpaired.low > 0.5


def test_ratio_of_medians_needs_pairs() -> None:
    assert median_ratio_interval(np.ones(1), np.ones(1)) is None
    with pytest.raises(ValueError, match="2 and 3 rounds"):
        median_ratio_interval(np.ones(2), np.ones(3))
