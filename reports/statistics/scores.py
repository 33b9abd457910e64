"""Metrics of quality scores and of features, as pure functions; sums in float64. A NaN makes every one of them NaN."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats


def score_errors_pct(scores: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """100 * |score - reference| / reference of each frame: (n,) from two of (n,); scores are in (1, 5)."""
    _check(scores, reference)
    return 100 * np.abs(scores - reference) / reference


def rank_correlation(scores: np.ndarray, reference: np.ndarray) -> float:
    """Spearman's rank correlation of (n,) and (n,), in [-1, 1]; NaN where all scores of either are equal."""
    _check(scores, reference)
    if len(scores) < 2 or not _varies(scores) or not _varies(reference):
        return math.nan
    return float(stats.spearmanr(scores, reference).statistic)


def pair_agreement(scores: np.ndarray, reference: np.ndarray, sources: Sequence[str]) -> float:
    """Share of the pairs of frames of one source that are in the reference's order.

    Pairs to which the reference gives equal scores do not count; a tie where it does not is no agreement.

    Args:
        scores, reference: (n,).
        sources: (n,) names of the pictures or videos.

    Returns:
        0 to 1; NaN without a pair.
    """
    _check(scores, reference)
    if not (np.isfinite(scores).all() and np.isfinite(reference).all()):
        return math.nan
    names = np.asarray(sources)
    first, second = np.triu_indices(len(names), 1)
    asked = (names[first] == names[second]) & (reference[first] != reference[second])
    same = np.sign(scores[first] - scores[second]) == np.sign(reference[first] - reference[second])
    return float(same[asked].mean()) if asked.any() else math.nan


def feature_error_pct(error_ss: np.ndarray, reference_ss: np.ndarray) -> float:
    """100 * root of the sum of squared errors over that of squared reference features.

    Args:
        error_ss, reference_ss: (n,) sums of each frame.

    Returns:
        NaN or infinite where the reference is all zero.
    """
    _check(error_ss, reference_ss)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(100 * np.sqrt(error_ss.sum() / reference_ss.sum()))


def feature_cosine(product: np.ndarray, found_ss: np.ndarray, reference_ss: np.ndarray) -> float:
    """Cosine of the angle between all features and the reference's, in [-1, 1], from (n,) sums of each frame."""
    _check(product, reference_ss)
    _check(found_ss, reference_ss)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(product.sum() / np.sqrt(found_ss.sum() * reference_ss.sum()))


def _varies(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all() and values.min() < values.max())


def _check(first: np.ndarray, second: np.ndarray) -> None:
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise ValueError(f"found arrays of shape {first.shape} and {second.shape}; expected both (n,), n > 0")
