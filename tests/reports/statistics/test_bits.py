"""Every expected number is worked out by hand or from the definition of the binomial distribution."""

import math
from fractions import Fraction

import numpy as np
import pytest

from sealbench.reports.statistics import bits as metrics

NAN = math.nan
LOGITS = np.array([[1.0, -2.0, 3.0, -4.0], [0.5, 0.5, -0.5, 0.0]])
REFERENCE = np.array([[1.0, -1.0, 1.0, 2.0], [0.5, -0.5, -0.5, -0.5]])
MESSAGES = np.array([[1, 0, 1, 0], [1, 0, 0, 1]], np.uint8)


def exact_tail(nbits: int, matched: int) -> Fraction:
    return Fraction(sum(math.comb(nbits, k) for k in range(matched, nbits + 1)), 2**nbits)


def test_outputs_are_the_confidence_and_then_the_bits() -> None:
    confidence, logits = metrics.split_outputs(np.array([[9.0, 1.0, 2.0]]))
    assert confidence.tolist() == [9.0]
    assert logits.tolist() == [[1.0, 2.0]]


def test_accuracy_counts_bits() -> None:
    # Second image: 0.5 is right, 0.5 should be 0, -0.5 is right, 0.0 is decided as 0 and should be 1.
    assert metrics.correct_bits(LOGITS, MESSAGES).tolist() == [[True] * 4, [True, False, True, False]]
    assert metrics.bit_accuracy(LOGITS, MESSAGES) == 6 / 8


def test_agreement_is_with_the_references_decisions() -> None:
    assert metrics.agreeing_bits(LOGITS, REFERENCE).tolist() == [[True, True, True, False], [True, False, True, True]]
    assert metrics.bit_agreement(LOGITS, REFERENCE) == 6 / 8


def test_errors_of_the_logits() -> None:
    logits, reference = np.array([[1.0, -3.0], [2.0, 4.0]]), np.array([[1.0, -1.0], [-2.0, 4.0]])  # errors 0 2 4 0
    assert metrics.logits_mae(logits, reference) == 1.5
    assert metrics.logits_rmse(logits, reference) == pytest.approx(math.sqrt(5))
    assert metrics.logits_max_abs(logits, reference) == 4.0
    assert metrics.logits_mae_rel_pct(logits, reference) == 75.0  # mean |reference| is 2
    assert metrics.snr_db(logits, reference) == pytest.approx(10 * math.log10(22 / 20))


def test_errors_of_equal_and_of_zero_logits() -> None:
    zeros = np.zeros((2, 4))
    assert metrics.snr_db(LOGITS, LOGITS) == math.inf
    assert metrics.snr_db(LOGITS, zeros) == -math.inf
    assert metrics.snr_db(zeros, LOGITS) == 0.0  # a zeroed output is as far off as the reference is large
    assert metrics.logits_mae_rel_pct(zeros, LOGITS) == 100.0
    assert metrics.logits_mae_rel_pct(LOGITS, zeros) == math.inf


def test_sums_are_in_double_precision() -> None:
    reference = np.full((1, 4), 1e20, np.float32)  # its square overflows float32
    assert metrics.snr_db(reference * np.float32(2), reference) == pytest.approx(0.0)


def test_a_nan_is_never_right_and_never_agrees() -> None:
    logits = LOGITS.copy()
    logits[0, 1] = NAN  # the message's bit is 0, and NaN > 0 is false: it must not pass for a right 0
    assert metrics.bit_accuracy(logits, MESSAGES) == 5 / 8
    assert metrics.bit_agreement(logits, REFERENCE) == 5 / 8
    assert metrics.bit_agreement(REFERENCE, logits) == 5 / 8
    assert not metrics.agreeing_bits(logits, logits)[0, 1]
    everything = np.full((2, 4), NAN)
    assert metrics.bit_accuracy(everything, np.zeros((2, 4), int)) == 0.0
    assert metrics.matched_bits(everything, np.array([[0, 0, 0, 0], [1, 1, 1, 1]])).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    "metric",
    [metrics.logits_mae, metrics.logits_rmse, metrics.logits_max_abs, metrics.logits_mae_rel_pct, metrics.snr_db],
)
def test_a_nan_makes_every_error_nan(metric) -> None:  # type: ignore[no-untyped-def]
    logits = LOGITS.copy()
    logits[1, 2] = NAN
    assert math.isnan(metric(logits, REFERENCE))
    assert math.isnan(metric(REFERENCE, logits))


def test_infinite_logits_decide_bits_but_their_distance_is_unknown() -> None:
    infinite = np.array([[math.inf, -math.inf]])
    assert metrics.bit_accuracy(infinite, np.array([[1, 0]])) == 1.0
    assert math.isnan(metrics.logits_mae(infinite, infinite))
    assert metrics.logits_mae(infinite, np.zeros((1, 2))) == math.inf


def test_nan_count_counts_infinities_too() -> None:
    assert metrics.nan_count(np.array([[NAN, 1.0, math.inf], [-math.inf, 0.0, -1.0]])) == 3
    assert metrics.nan_count(LOGITS) == 0


def test_confidence_is_compared_as_a_probability() -> None:
    confidence, reference = np.array([0.0, math.log(3)]), np.array([math.log(3), math.log(3)])  # 0.5 0.75; 0.75 0.75
    assert metrics.confidence_differences(confidence, reference) == pytest.approx([0.25, 0.0])
    assert metrics.confidence_delta(confidence, reference) == pytest.approx(0.125)
    assert math.isnan(metrics.confidence_delta(np.array([NAN, 0.0]), reference))


def test_shuffled_messages_give_chance() -> None:
    rng = np.random.default_rng(0)
    messages = rng.integers(0, 2, (64, 256))
    logits = np.where(messages == 1, 2.0, -2.0)
    assert metrics.bit_accuracy(logits, messages) == 1.0
    assert metrics.bit_accuracy(logits, np.roll(messages, 1, axis=0)) == pytest.approx(0.5, abs=0.02)
    assert metrics.accepted(logits, messages).all()
    assert not metrics.accepted(logits, np.roll(messages, 1, axis=0)).any()


@pytest.mark.parametrize("nbits", [1, 4, 32, 256, 1024])
def test_pvalues_are_the_exact_binomial_tail(nbits: int) -> None:
    for matched in sorted({0, nbits // 2, nbits - 1, nbits}):
        logits = np.where(np.arange(nbits) < matched, 1.0, -1.0)[None]
        tail = exact_tail(nbits, matched)
        expected = math.log10(tail.numerator) - math.log10(tail.denominator)  # big integers: no underflow
        found = metrics.log10_pvalues(logits, np.ones((1, nbits), int))
        assert found == pytest.approx([expected], rel=1e-11, abs=1e-11)


def test_pvalues_do_not_underflow() -> None:
    messages = np.ones((2, 2048), int)
    logits = np.stack([np.ones(2048), -np.ones(2048)])  # all right: 2^-2048; none right: 1
    assert metrics.log10_pvalues(logits, messages) == pytest.approx([-2048 * math.log10(2), 0.0])


def test_a_nan_bit_counts_as_wrong_in_the_pvalue() -> None:
    logits, message = np.array([[1.0, 1.0, NAN, NAN]]), np.array([[1, 1, 0, 0]])
    assert metrics.log10_pvalues(logits, message) == pytest.approx([math.log10(11 / 16)])  # two of four right


def test_threshold_is_the_first_tail_below_the_rate() -> None:
    # 32 bits: P(X >= 29) = 5489 / 2^32 = 1.28e-6, P(X >= 30) = 529 / 2^32 = 1.23e-7.
    assert metrics.threshold_bits(32, 1e-6) == 30
    assert metrics.threshold_bits(4, 1 / 16) == 4  # exactly reached
    assert metrics.threshold_bits(4, 0.06) == 5  # not even a full match is rare enough
    assert metrics.threshold_bits(1, 0.9) == 1
    for nbits in (96, 256, 1024):
        found = metrics.threshold_bits(nbits, 1e-6)
        assert exact_tail(nbits, found) <= Fraction(1, 10**6) < exact_tail(nbits, found - 1)


def test_acceptance_needs_the_threshold() -> None:
    messages = np.ones((2, 32), int)
    logits = np.ones((2, 32))
    logits[0, :2] = -1  # 30 right: accepted
    logits[1, :3] = -1  # 29 right: not
    assert metrics.accepted(logits, messages).tolist() == [True, False]


def test_bits_are_matched_with_every_key() -> None:
    logits = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, -1.0, -1.0]])
    keys = np.array([[1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 0, 1]])
    assert metrics.matched_bits(logits, keys).tolist() == [[4, 0, 3], [2, 2, 3]]


def test_psnr_of_8_bit_images() -> None:
    original = np.zeros((2, 2, 3), np.uint8)
    assert metrics.psnr_db(original, original) == math.inf
    assert metrics.psnr_db(np.full_like(original, 255), original) == 0.0
    assert metrics.psnr_db(original, original + np.uint8(1)) == pytest.approx(20 * math.log10(255))  # no wrap-around
    with pytest.raises(ValueError, match="expected uint8"):
        metrics.psnr_db(original / 255, original)


@pytest.mark.parametrize(
    ("logits", "messages"),
    [
        (np.zeros((2, 4)), np.zeros((1, 4))),  # would be broadcast
        (np.zeros((2, 5)), np.zeros((2, 4))),  # channel 0 left in
        (np.zeros((0, 4)), np.zeros((0, 4))),
        (np.zeros(4), np.zeros(4)),
        (np.zeros((2, 4)), np.full((2, 4), 255)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(logits: np.ndarray, messages: np.ndarray) -> None:
    with pytest.raises(ValueError, match="found"):
        metrics.bit_accuracy(logits, messages)


def test_keys_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        metrics.matched_bits(np.zeros((2, 4)), np.zeros((2, 5)))
    with pytest.raises(ValueError, match="0 < rate < 1"):
        metrics.threshold_bits(32, 0.0)
