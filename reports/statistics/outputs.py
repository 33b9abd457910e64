"""Metrics of any model's outputs against a reference's, as pure functions; sums in float64.

What is kept of an output on a sample are the `OUTPUT_SUMS` of `sealbench.reports.schema.tables`. A NaN makes every
metric that its sum enters NaN. Each metric is that of the output where it is worst.

Shapes: `sums` are (samples, outputs, len(OUTPUT_SUMS)).
"""

import math

import numpy as np

from sealbench.reports.schema.tables import OUTPUT_SUMS


def output_sums(found: np.ndarray, reference: np.ndarray) -> tuple[float, ...]:
    """What is kept of one output on one sample, in the order of OUTPUT_SUMS; errors in units of the output.

    Args:
        found, reference: of one shape, any.

    Raises:
        ValueError: the shapes differ, or hold no value.
    """
    if found.shape != reference.shape or not found.size:
        raise ValueError(f"found outputs of shape {found.shape} and {reference.shape}; expected one shape, with values")
    a, b = found.astype(np.float64).ravel(), reference.astype(np.float64).ravel()
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(a - b)
        sums = (error.sum(), error.max(), error @ error, b @ b, a @ a, a @ b)
    return (a.size, int(np.count_nonzero(~np.isfinite(a))), *map(float, sums), *_top1(found, reference))


def _top1(found: np.ndarray, reference: np.ndarray) -> tuple[int, int]:
    """Vectors along the last axis, and those that agree on the place of their largest value, the first of several."""
    if not found.ndim or found.shape[-1] < 2:
        return 0, 0
    agreeing = found.argmax(axis=-1) == reference.argmax(axis=-1)
    return agreeing.size, int(np.count_nonzero(agreeing))


def column(sums: np.ndarray, name: str) -> np.ndarray:
    """One of OUTPUT_SUMS, (samples, outputs) from (samples, outputs, len(OUTPUT_SUMS))."""
    found: np.ndarray = sums[..., OUTPUT_SUMS.index(name)]
    return found


def mean_errors(sums: np.ndarray) -> np.ndarray:
    """Mean absolute error of each sample, (samples,), in units of the output where it is largest over all samples."""
    errors = column(sums, "error_abs") / column(sums, "values")
    return errors[:, _worst(-errors.mean(axis=0))]


def largest_error(sums: np.ndarray) -> float:
    """Largest absolute difference of all outputs, in units of the output."""
    return float(column(sums, "error_max").max())


def snr_db(sums: np.ndarray) -> float:
    """Smallest signal to noise ratio of the outputs, in dB.

    Infinite where no value differs.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = 10 * np.log10(_total(sums, "reference_ss") / _total(sums, "error_ss"))
    ratios = np.where(_total(sums, "error_ss") == 0, math.inf, ratios)
    return float(ratios[_worst(ratios)])


def cosine(sums: np.ndarray) -> float:
    """Smallest cosine between an output and the reference's, in [-1, 1].

    1 where no value differs, also where all are zero.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = _total(sums, "product") / np.sqrt(_total(sums, "found_ss") * _total(sums, "reference_ss"))
    cosines = np.where(_total(sums, "error_ss") == 0, 1.0, cosines)
    return float(cosines[_worst(cosines)])


def top1_shares(sums: np.ndarray) -> np.ndarray:
    """Share of agreeing vectors of each sample, (samples,), of the output where it is smallest over all samples.

    NaN where no output has vectors of more than one value.
    """
    vectors = column(sums, "top1_vectors")
    compared = vectors[0] > 0
    if not compared.any():
        return np.full(len(sums), math.nan)
    shares = column(sums, "top1_agreeing")[:, compared] / vectors[:, compared]
    return shares[:, _worst(shares.mean(axis=0))]


def _total(sums: np.ndarray, name: str) -> np.ndarray:
    """Over all samples, (outputs,)."""
    total: np.ndarray = column(sums, name).sum(axis=0)
    return total


def _worst(values: np.ndarray) -> int:
    """Place of the smallest value, or of a NaN, which is worse than any."""
    return int(np.argmax(np.where(np.isnan(values), math.inf, -values)))
