"""Every fault of a detector that sees what is not there has its own measure."""

import math

import numpy as np
import pytest

from sealbench.datasets.messages import random_messages
from sealbench.reports.statistics import null_check

N, NBITS = 400, 32
KEYS = random_messages(100, NBITS, 2)
COINS = np.random.default_rng(0).choice([-1.0, 1.0], (N, NBITS))


def stuck(bits: int) -> np.ndarray:
    logits = COINS.copy()
    logits[:, :bits] = 1.0
    return logits


def test_fair_coins_are_what_the_docstrings_say() -> None:
    assert null_check.bit_imbalance(COINS) == pytest.approx(1 / math.sqrt(2 * math.pi * N), rel=0.3)
    assert null_check.bit_correlation(COINS) == pytest.approx(math.sqrt(2 / (math.pi * N)), rel=0.1)
    # Of 32 bits 24 must match, which coins do in 0.35 % of the images.
    assert null_check.worst_key_false_positive_rate(COINS, KEYS, 1e-2) < 0.04


def test_shares_are_counted_by_bit() -> None:
    logits = np.array([[1.0, -1.0, 0.0], [2.0, 1.0, -3.0]])
    assert null_check.shares_of_ones(logits).tolist() == [1.0, 0.5, 0.0]
    assert null_check.bit_imbalance(logits) == pytest.approx(1 / 3)


def test_a_stuck_bit_moves_the_balance() -> None:
    assert null_check.balance_shift(COINS, COINS) == 0
    assert null_check.balance_shift(stuck(1), COINS) == pytest.approx(0.5 / NBITS, rel=0.1)
    assert null_check.bit_imbalance(stuck(NBITS)) == 0.5


def test_bits_that_repeat_each_other_are_correlated() -> None:
    repeated = np.repeat(COINS[:, :2], 16, axis=1)
    other = COINS[:, 0] * COINS[:, 1]
    across = abs(np.corrcoef(COINS[:, 0], COINS[:, 1])[0, 1])
    pairs = NBITS * (NBITS - 1) / 2
    within = 2 * 16 * 15 / 2
    expected = (within + (pairs - within) * across) / pairs
    assert null_check.bit_correlation(repeated) == pytest.approx(expected)
    repeated[:, 0] *= -1  # an inverted copy is a copy
    assert null_check.bit_correlation(repeated) == pytest.approx(expected)
    assert null_check.bit_correlation(np.stack([COINS[:, 0], COINS[:, 1], other], axis=1)) < 0.15
    assert null_check.bit_correlation(stuck(NBITS)) == 1.0


def test_a_constant_output_is_found_by_the_worst_key_and_not_by_the_mean_of_random_ones() -> None:
    constant = np.tile(np.where(random_messages(1, NBITS, 7) > 0, 1.0, -1.0), (N, 1))
    keys = random_messages(1000, NBITS, 2)
    assert null_check.accepted_keys(constant, keys, 1e-2).mean() < 0.02
    assert null_check.worst_key_false_positive_rate(constant, keys, 1e-2) == 1.0


def test_an_image_accepts_the_keys_that_it_matches_to_the_threshold() -> None:
    logits = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, -1.0, -1.0], [1.0, math.nan, 1.0, 1.0]])
    keys = np.array([[1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 0, 1]])
    none = [math.nan] * 3  # it could hide a false positive
    for fpr, accepted in ((1 / 16, [[1, 0, 0], [0, 0, 0], none]), (5 / 16, [[1, 0, 1], [0, 0, 1], none])):  # 4 bits, 3
        np.testing.assert_array_equal(null_check.accepted_keys(logits, keys, fpr), accepted)


def test_a_nan_is_never_fair() -> None:
    logits = COINS.copy()
    logits[3, 4] = math.nan
    assert math.isnan(null_check.bit_imbalance(logits))
    assert math.isnan(null_check.bit_correlation(logits))
    assert math.isnan(null_check.balance_shift(logits, COINS))
    assert math.isnan(null_check.balance_shift(COINS, logits))
    assert math.isnan(null_check.worst_key_false_positive_rate(logits, KEYS, 1e-2))


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        null_check.balance_shift(COINS, COINS[:1])
    with pytest.raises(ValueError, match="n > 0"):
        null_check.bit_imbalance(COINS[:0])
