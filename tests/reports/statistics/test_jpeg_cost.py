"""A file that needs d points more of JPEG quality is found to cost d, and noise is not called a cost."""

import math

import numpy as np
import pytest

from sealbench.datasets.attacks import CURVE_POINTS
from sealbench.reports.statistics.jpeg_cost import FEWEST_QUALITIES, jpeg_quality_cost

QUALITIES = (30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0)
IMAGES, NBITS, PICTURES = 48, 32, 12
MESSAGES = np.ones((IMAGES, NBITS), int)
SOURCES = np.arange(IMAGES) % PICTURES


def outputs(needed: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Logits (k, n, nbits) of bits that are read from a quality on, and fall as a coin below it."""
    coins = random.random(needed.shape) < 0.5
    return np.stack([np.where((quality >= needed) | coins, 1.0, -1.0) for quality in QUALITIES])


def pair(random: np.random.Generator, cost: float, spread: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a file and of PyTorch; the file's bits need `cost` points more, and each picture `spread` besides."""
    needed = random.normal(62, 8, (IMAGES, NBITS))
    extra = cost + spread * random.standard_normal(PICTURES)[SOURCES, None]
    seed = int(random.integers(2**32))  # the same coins for both
    return tuple(outputs(each, np.random.default_rng(seed)) for each in (needed + extra, needed))  # type: ignore[return-value]


@pytest.mark.parametrize("cost", [-2.0, 0.5, 3.0])
def test_a_shifted_curve_costs_its_shift(cost: float) -> None:
    found, interval = jpeg_quality_cost(QUALITIES, *pair(np.random.default_rng(1), cost), MESSAGES, SOURCES)
    assert found == pytest.approx(cost, abs=0.3)
    assert interval is not None
    assert interval.low < cost < interval.high
    assert not interval.low <= 0 <= interval.high


# Of 12 trials 0.87 leaves out a coverage of 0.6 in 98 of 100 cases, of 100 trials 0.9 one of 0.83.
@pytest.mark.parametrize("cost", [0.0, 1.0])
@pytest.mark.parametrize(("trials", "least"), [(12, 0.87), pytest.param(100, 0.9, marks=pytest.mark.long)])
def test_the_interval_covers_as_it_says_and_no_cost_is_not_called_one(cost: float, trials: int, least: float) -> None:
    random = np.random.default_rng(2)
    covered = []
    for _ in range(trials):
        _, interval = jpeg_quality_cost(QUALITIES, *pair(random, cost, spread=1.5), MESSAGES, SOURCES)
        assert interval is not None
        covered.append(interval.low <= cost <= interval.high)
    assert np.mean(covered) >= least


def test_equal_files_cost_nothing_but_are_not_sure_of_it() -> None:
    _, reference = pair(np.random.default_rng(3), 0.0)
    found, interval = jpeg_quality_cost(QUALITIES, reference, reference, MESSAGES, SOURCES)
    assert found == 0
    assert interval is not None
    assert -0.2 < interval.low < 0 < interval.high < 0.2
    for pictures in (1, 4):
        assert jpeg_quality_cost(QUALITIES, reference, reference, MESSAGES, SOURCES % pictures) == (0, None)


def test_the_bench_measures_as_many_qualities_as_a_curve_takes() -> None:
    assert CURVE_POINTS == FEWEST_QUALITIES


def test_by_hand() -> None:
    """One bit of four is lost at the middle quality: half of 20 + 20 points by a quarter, over a rise of one half."""
    messages = np.ones((1, 4), int)
    reference = np.array([[[1.0, 1.0, -1.0, -1.0]], [[1.0, 1.0, 1.0, -1.0]], [[1.0, 1.0, 1.0, 1.0]]])
    logits = reference.copy()
    logits[1, 0, 2] = -1
    found, _ = jpeg_quality_cost([50, 70, 90], logits, reference, messages, ["a"])
    assert found == pytest.approx(20 * 0.25 / 0.5)


def test_what_cannot_be_told_is_nan() -> None:
    logits, reference = pair(np.random.default_rng(4), 1.0)
    broken = logits.copy()
    broken[0, 0, 0] = math.nan
    flat = np.ones_like(logits)  # robust at every quality: nothing to compare by
    for pairs in ((broken, reference), (logits, broken), (logits, flat)):
        found, interval = jpeg_quality_cost(QUALITIES, *pairs, MESSAGES, SOURCES)
        assert math.isnan(found)
        assert interval is not None
        assert all(map(math.isnan, interval))


@pytest.mark.parametrize("qualities", [(50.0, 70.0), (70.0, 50.0, 90.0), (50.0, 50.0, 90.0)])
def test_what_is_no_curve_is_refused(qualities: tuple[float, ...]) -> None:
    logits = np.ones((len(qualities), IMAGES, NBITS))
    with pytest.raises(ValueError, match="at least 3 rising qualities"):
        jpeg_quality_cost(qualities, logits, logits, MESSAGES, SOURCES)
