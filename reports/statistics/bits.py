"""The accuracy metrics, as pure functions of arrays.

Shapes: n images, nbits bits. `logits` and `reference` are (n, nbits) float, the bit logits without channel 0;
`messages` is (n, nbits) of 0 and 1. Sums are taken in float64. `correct_bits` and `agreeing_bits` also take flat rows
like those of samples/bits.csv.

A decided bit is `logit > 0`. A NaN is no decision: it is never right, never agrees (not even with a NaN) and never
matches a key, and any error it takes part in is NaN. Read `nan_count` beside every metric.

`correct_bits`, `agreeing_bits`, `matched_bits`, `accepted`, `log10_pvalues`, `confidence_differences` give the values
for each bit or image, from which `sealbench.reports.statistics.intervals` makes intervals; the others are their means.
"""

import math
from functools import lru_cache

import numpy as np
from scipy import special, stats

DECISION_FPR = 1e-6
"""False positive rate that the decision "this image is watermarked" is set to."""

_WHITE = 255.0
_ROUNDING = 1e-9  # in natural logarithms; the error of the tails is some 1e-12 at 1024 bits


def split_outputs(outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Takes model outputs (n, 1 + nbits) apart: confidence logits (n,) and bit logits (n, nbits)."""
    return outputs[:, 0], outputs[:, 1:]


def correct_bits(logits: np.ndarray, messages: np.ndarray) -> np.ndarray:
    """Which bits are right: bool of the same shape, (n, nbits) or any other.

    Raises:
        ValueError: the shapes differ, or a message holds something else than 0 and 1.
    """
    _check_shape(logits, messages)
    _check_binary(messages)
    return ((logits > 0) == (messages > 0)) & ~np.isnan(logits)


def agreeing_bits(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Which bits are decided as the reference decides them: bool of the same shape, (n, nbits) or any other.

    Raises:
        ValueError: the shapes differ.
    """
    _check_shape(logits, reference)
    return ((logits > 0) == (reference > 0)) & ~np.isnan(logits) & ~np.isnan(reference)


def bit_accuracy(logits: np.ndarray, messages: np.ndarray) -> float:
    """Share of bits that are right, over all images.

    Raises:
        ValueError: as `correct_bits`, or there are no images.
    """
    check_pair(logits, messages)
    return float(correct_bits(logits, messages).mean())


def bit_agreement(logits: np.ndarray, reference: np.ndarray) -> float:
    """Share of bits equal to the reference's own.

    Raises:
        ValueError: the shapes differ, or there are no images.
    """
    check_pair(logits, reference)
    return float(agreeing_bits(logits, reference).mean())


def logits_mae(logits: np.ndarray, reference: np.ndarray) -> float:
    """Mean absolute difference to the reference, in logits."""
    return float(np.abs(_difference(logits, reference)).mean())


def logits_rmse(logits: np.ndarray, reference: np.ndarray) -> float:
    """Root of the mean squared difference to the reference, in logits."""
    return float(np.sqrt(np.square(_difference(logits, reference)).mean()))


def logits_max_abs(logits: np.ndarray, reference: np.ndarray) -> float:
    """Largest absolute difference to the reference, in logits."""
    return float(np.abs(_difference(logits, reference)).max())


def logits_mae_rel_pct(logits: np.ndarray, reference: np.ndarray) -> float:
    """100 * MAE / mean |reference|, in percent; infinite (or NaN without error) where the reference is all zero."""
    scale = np.abs(np.asarray(reference, np.float64)).mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(100 * np.float64(logits_mae(logits, reference)) / scale)


def snr_db(logits: np.ndarray, reference: np.ndarray) -> float:
    """Signal-to-noise ratio in dB: 10 * log10(sum reference^2 / sum (logits - reference)^2).

    Infinite where the two are equal, minus infinite where only the reference is all zero.
    """
    noise = np.square(_difference(logits, reference)).sum()
    return _decibel(np.square(np.asarray(reference, np.float64)).sum(), noise)


def confidence_differences(confidence: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """|sigmoid(channel 0) - sigmoid(channel 0 of the reference)| of each image: (n,), in [0, 1].

    Args:
        confidence, reference: (n,) logits.

    Raises:
        ValueError: the shapes differ.
    """
    _check_shape(confidence, reference)
    return np.abs(special.expit(np.asarray(confidence, np.float64)) - special.expit(np.asarray(reference, np.float64)))


def confidence_delta(confidence: np.ndarray, reference: np.ndarray) -> float:
    """Mean of `confidence_differences`.

    Raises:
        ValueError: the shapes differ, or there are no images.
    """
    check_pair(confidence, reference, dimensions=1)
    return float(confidence_differences(confidence, reference).mean())


def matched_bits(logits: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """How many bits of every image match every key.

    Args:
        logits: (n, nbits).
        keys: (k, nbits) of 0 and 1.

    Returns:
        (n, k) int, 0 to nbits.

    Raises:
        ValueError: other shapes, nothing to count, or a key holds something else than 0 and 1.
    """
    if logits.ndim != 2 or keys.ndim != 2 or logits.shape[1] != keys.shape[1] or not (logits.size and keys.size):
        raise ValueError(f"found logits {logits.shape} and keys {keys.shape}; expected (n, nbits) and (k, nbits)")
    _check_binary(keys)
    ones = keys.astype(np.float64)  # products of 0 and 1 in float: exact, and fast
    return ((logits > 0) @ ones.T + (logits <= 0) @ (1 - ones).T).astype(np.int64)  # NaN is in neither


def log10_pvalues(logits: np.ndarray, messages: np.ndarray) -> np.ndarray:
    """log10 of the probability that so many bits are right by chance, for each image: (n,), 0 or less.

    The binomial tail P(X >= number of right bits) under p = 1/2, in logarithms throughout: at 1024 bits the
    probability itself is below the smallest normal float64.
    """
    right = correct_bits(logits, messages).sum(axis=1)
    return _log_tails(messages.shape[1])[right] / math.log(10)


def threshold_bits(nbits: int, fpr: float = DECISION_FPR) -> int:
    """Smallest number of matching bits whose binomial tail under p = 1/2 is at most `fpr`.

    Returns:
        1 to nbits; nbits + 1, which nothing reaches, where even a full match is likelier than `fpr`.

    Raises:
        ValueError: `fpr` is not in (0, 1), or nbits is below 1.
    """
    if not 0 < fpr < 1 or nbits < 1:
        raise ValueError(f"found {nbits} bits and a false positive rate of {fpr}; expected bits >= 1 and 0 < rate < 1")
    # False, ..., False, True, ..., True; a tail that equals the rate must not miss it by a rounding error.
    reached = _log_tails(nbits) <= math.log(fpr) + _ROUNDING
    return int(np.argmax(reached)) if reached[-1] else nbits + 1


def accepted(logits: np.ndarray, messages: np.ndarray, fpr: float = DECISION_FPR) -> np.ndarray:
    """Which images are accepted as carrying their message at `threshold_bits`, false positive rate `fpr`: (n,) bool."""
    return correct_bits(logits, messages).sum(axis=1) >= threshold_bits(messages.shape[1], fpr)


def psnr_db(image: np.ndarray, original: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of 8-bit images: 10 * log10(255^2 / mean squared error); infinite where equal.

    Args:
        image, original: uint8 of one shape.

    Raises:
        ValueError: the shapes differ, or either is not uint8.
    """
    if image.shape != original.shape or not image.dtype == original.dtype == np.uint8 or not image.size:
        raise ValueError(
            f"found {image.shape} {image.dtype} and {original.shape} {original.dtype}; expected uint8 of one shape"
        )
    return _decibel(_WHITE**2, np.square(image.astype(np.float64) - original).mean())


def nan_count(outputs: np.ndarray) -> int:
    """How many values are NaN or infinite, of an array of any shape."""
    return int(np.count_nonzero(~np.isfinite(outputs)))


def check_pair(first: np.ndarray, second: np.ndarray, dimensions: int = 2) -> None:
    """Refuse two arrays that are not of the same images.

    Args:
        first, second: expected of one shape.
        dimensions: how many; 2 for (n, nbits).

    Raises:
        ValueError: the shapes differ or have another number of dimensions, or there are no images.
    """
    if first.shape != second.shape or first.ndim != dimensions or not first.size:
        expected = "(n, nbits)" if dimensions == 2 else "(n,)"
        raise ValueError(f"found arrays of shape {first.shape} and {second.shape}; expected both {expected}, n > 0")


@lru_cache(maxsize=16)
def _log_tails(nbits: int) -> np.ndarray:
    """Natural logarithm of P(X >= k), X binomial(nbits, 1/2), for k = 0 to nbits: (nbits + 1,), not writable."""
    terms = stats.binom.logpmf(np.arange(nbits, -1, -1), nbits, 0.5)  # from k = nbits down
    tails = np.minimum(np.logaddexp.accumulate(terms)[::-1], 0.0)  # rounding must not give a probability above 1
    tails.flags.writeable = False  # the cache hands out one array to all
    return tails


def _difference(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Logits - reference in float64; equal infinities give NaN, as their distance is unknown."""
    check_pair(logits, reference)
    with np.errstate(invalid="ignore"):
        return np.asarray(logits, np.float64) - np.asarray(reference, np.float64)


def _decibel(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(10 * np.log10(np.float64(signal) / np.float64(noise)))


def _check_shape(first: np.ndarray, second: np.ndarray) -> None:
    # Without this check NumPy would broadcast a single message over all images, and the mean would seem right.
    if first.shape != second.shape:
        raise ValueError(f"found arrays of shape {first.shape} and {second.shape}; expected one shape")


def _check_binary(messages: np.ndarray) -> None:
    if not np.isin(messages, (0, 1)).all():
        raise ValueError("found a message with other values than 0 and 1")
