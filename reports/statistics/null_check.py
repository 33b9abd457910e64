"""What a detector decodes where nothing is to be found: on images without a watermark its bits should be fair coins.

Shapes: n images without a watermark, nbits bits; `logits` is (n, nbits) float. A decided bit is `logit > 0`.

With a new random message for each image, or on the average of many random keys, a detector with a constant output seems
perfect: a random key matches any constant half of the time. So the keys are fixed, and the worst of them counts.
"""

import math

import numpy as np

from sealbench.reports.statistics.bits import matched_bits, threshold_bits


def shares_of_ones(logits: np.ndarray) -> np.ndarray:
    """For each bit the share of images that set it: (nbits,), in [0, 1]; NaN for a bit with a NaN logit.

    Raises:
        ValueError: there are no images.
    """
    if logits.ndim != 2 or not logits.size:
        raise ValueError(f"found logits {logits.shape}; expected (n, nbits), n > 0")
    return np.where(np.isnan(logits).any(axis=0), math.nan, (logits > 0).mean(axis=0))


def bit_imbalance(logits: np.ndarray) -> float:
    """Mean over the bits of |share of ones - 1/2|: 0.5 for bits that never change.

    Fair coins give 1 / sqrt(2 * pi * n): 0.08 for 24 images, 0.03 for 200. Images of one picture are no independent
    tosses, so that a few pictures give more.
    """
    return float(np.abs(shares_of_ones(logits) - 0.5).mean())


def bit_correlations(logits: np.ndarray) -> np.ndarray:
    """|Correlation| over the images of every pair of bits: (nbits * (nbits - 1) / 2,), in [0, 1].

    A bit that never changes counts as correlated by 1 with all others: no image decides it. NaN where a logit is.
    """
    shares = shares_of_ones(logits)
    nbits = len(shares)
    pairs = np.triu_indices(nbits, k=1)
    if np.isnan(shares).any():
        return np.full(len(pairs[0]), math.nan)
    centered = (logits > 0) - shares  # (n, nbits)
    norms = np.linalg.norm(centered, axis=0)
    changing = norms > 0
    unit = centered[:, changing] / norms[changing]
    correlations = np.ones((nbits, nbits))
    correlations[np.ix_(changing, changing)] = np.abs(unit.T @ unit)
    return correlations[pairs]


def bit_correlation(logits: np.ndarray) -> float:
    """Mean of `bit_correlations`: 1 for bits that are all equal; NaN where a logit is, and for a single bit.

    Fair coins give sqrt(2 / (pi * n)): 0.16 for 24 images, 0.06 for 200.
    """
    correlations = bit_correlations(logits)
    return float(correlations.mean()) if correlations.size else math.nan


def balance_shift(logits: np.ndarray, reference: np.ndarray) -> float:
    """Mean over the bits of |share of ones - the reference's share on the same images|; NaN where a logit is.

    Raises:
        ValueError: the shapes differ, or there are no images.
    """
    if logits.shape != reference.shape:
        raise ValueError(f"found logits {logits.shape} and {reference.shape}; expected one shape")
    return float(np.abs(shares_of_ones(logits) - shares_of_ones(reference)).mean())


def accepted_keys(logits: np.ndarray, keys: np.ndarray, fpr: float) -> np.ndarray:
    """Which of some fixed keys each image is taken to carry, at the threshold for a false positive rate.

    Args:
        logits: (n, nbits).
        keys: (k, nbits) of 0 and 1.
        fpr: the rate that the threshold is set to, in (0, 1).

    Returns:
        (n, k) of 0.0 and 1.0; NaN in the row of an image with a NaN logit, which matches nothing and so would hide a
        false positive.
    """
    accepted = matched_bits(logits, keys) >= threshold_bits(keys.shape[1], fpr)  # (n, k)
    return np.where(np.isnan(logits).any(axis=1, keepdims=True), math.nan, accepted)


def worst_key_false_positive_rate(logits: np.ndarray, keys: np.ndarray, fpr: float) -> float:
    """The largest share of images that one of the keys accepts, in [0, 1]; arguments, and NaN, as `accepted_keys`."""
    return float(accepted_keys(logits, keys, fpr).mean(axis=0).max())
