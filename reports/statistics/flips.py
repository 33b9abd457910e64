"""Which bits a file decides otherwise than the PyTorch reference, and what that costs, paired by image and bit.

Shapes: n images, nbits bits. `logits` of the file and `reference` of PyTorch are (n, nbits) float, `messages` is
(n, nbits) of 0 and 1; single bits may also be flat rows like those of samples/bits.csv. Flips are relative to PyTorch,
not to the float32 file: so the float32 file has flips of its own.

A NaN is no decision. Of the file it is a wrong bit, and a negative flip where the reference is right; of the reference
it is no positive flip. The measures in percent are NaN as soon as either has one, so that they pass no gate.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import stats

from sealbench.reports.statistics.bits import agreeing_bits, check_pair, correct_bits
from sealbench.reports.statistics.intervals import (
    FEWEST_PICTURES,
    Interval,
    clustered_mean_interval,
    proportion_interval,
)

RISK_PERCENTILE = 99


def negative_flips(logits: np.ndarray, reference: np.ndarray, messages: np.ndarray) -> np.ndarray:
    """Bits that the reference reads right and the file wrong: bool of the same shape, (n, nbits) or any other.

    Raises:
        ValueError: the shapes differ, or a message holds something else than 0 and 1.
    """
    return correct_bits(reference, messages) & ~correct_bits(logits, messages)


def positive_flips(logits: np.ndarray, reference: np.ndarray, messages: np.ndarray) -> np.ndarray:
    """Bits that the reference reads wrong and the file right, as `negative_flips`; errors too."""
    return ~correct_bits(reference, messages) & correct_bits(logits, messages) & ~np.isnan(reference)


def neutral_flips(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Bits that are decided otherwise on images without a watermark, where none is right: bool of the same shape.

    Raises:
        ValueError: the shapes differ.
    """
    return ~agreeing_bits(logits, reference)


def mcnemar_pvalue(lost: int, gained: int, alternative: Literal["greater", "two-sided"] = "greater") -> float:
    """McNemar's exact test of paired bits (Fagerland, Lydersen and Laake 2013, doi:10.1186/1471-2288-13-91).

    Under the null hypothesis a changed bit is lost or gained with probability 1/2. The test takes changes for
    independent. Those of one picture are not, so its p-value is too small where a few pictures have most of them: it
    finds losses; the interval of `accuracy_ratio_pct` judges.

    Args:
        lost, gained: how many bits changed from right to wrong, and from wrong to right; 0 or more.
        alternative: "greater" of a file and PyTorch: P(X >= lost), X binomial(lost + gained, 1/2), as a file that reads
            more bits than PyTorch has no fault. "two-sided" of two runs, either of which may be the better one.

    Returns:
        The p-value, in (0, 1]; 1 where nothing changed.
    """
    changed = lost + gained
    return float(stats.binomtest(lost, changed, alternative=alternative).pvalue) if changed else 1.0


def accuracy_ratio_pct(
    logits: np.ndarray, reference: np.ndarray, messages: np.ndarray, sources: np.ndarray | Sequence[str | int]
) -> tuple[float, Interval | None]:
    """100 * bit accuracy / bit accuracy of the reference on the same bits, with its 95 % interval by source picture.

    A difference of paired bits has less noise than two accuracies. The ratio R / S of two means is linear in them to
    first order, so that its interval is that of the mean over images of (r - s * R / S) / S, resampled by pictures.
    No bootstrap sees what did not happen: each end is at least as far away as the exact interval of that many negative
    (below) or positive (above) flips among as many independent bits would put it.

    Simulated (`tests/reports/statistics/test_flips.py`) with 200 images of 32 bits, a loss of 0.5 % of the bits, and
    half of that as the standard deviation between pictures, it covers the true ratio 0.96 of the time with 24 and with
    8 pictures, 0.93 with 6.

    Args:
        logits, reference, messages: see the module.
        sources: (n,) names or numbers of the source pictures.

    Returns:
        The ratio, and its interval, or None for fewer than FEWEST_PICTURES pictures. Both NaN where a logit is;
        infinite or NaN where the reference reads no bit right.

    Raises:
        ValueError: as `negative_flips`, there are no images, or not as many sources as images.
    """
    check_pair(logits, reference)
    right, reference_right = correct_bits(logits, messages), correct_bits(reference, messages)  # (n, nbits) each
    if np.isnan(logits).any() or np.isnan(reference).any():
        return math.nan, Interval(math.nan, math.nan)
    accuracy, reference_accuracy = float(right.mean()), float(reference_right.mean())
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.float64(accuracy) / reference_accuracy)
    if not math.isfinite(ratio):
        return 100 * ratio, Interval(math.nan, math.nan)
    influence = (right.astype(np.float64) - ratio * reference_right) / reference_accuracy  # (n, nbits)
    around_zero = clustered_mean_interval(influence, sources, fewest=FEWEST_PICTURES)
    if around_zero is None:
        return 100 * ratio, None
    below, above = (
        room_above(flips(logits, reference, messages)) / reference_accuracy
        for flips in (negative_flips, positive_flips)
    )
    low, high = min(around_zero.low, -below), max(around_zero.high, above)
    return 100 * ratio, Interval(100 * (ratio + low), 100 * (ratio + high))


def bits_at_risk(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Bits whose reference logit is smaller in magnitude than 99 % of this file's errors: (n, nbits), 1.0 where so.

    They are the bits that an error of the size that this file makes may flip, whether it did here or not.

    Returns:
        Float of 0 and 1; all NaN where a logit is NaN or an error infinite.

    Raises:
        ValueError: the shapes differ, or there are no images.
    """
    check_pair(logits, reference)
    with np.errstate(invalid="ignore"):
        errors = np.abs(np.asarray(logits, np.float64) - reference)
    if not np.isfinite(errors).all():
        return np.full(errors.shape, math.nan)
    return (np.abs(reference) < np.percentile(errors, RISK_PERCENTILE)).astype(np.float64)


def tied_bits(logits: np.ndarray) -> int:
    """How many logits are exactly zero: neither 0 nor 1, though they are decided as 0."""
    return int(np.count_nonzero(logits == 0))


def room_above(flipped: np.ndarray) -> float:
    """How far the exact 95 % interval of the share of flipped bits reaches beyond that share.

    Args:
        flipped: bool of any shape, one of each bit.
    """
    found = proportion_interval(int(flipped.sum()), flipped.size, "exact")
    assert found is not None
    return found.high - float(flipped.mean())
