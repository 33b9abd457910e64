"""A run's samples as sums over each picture, and the metrics as functions of such sums.

A metric that is a function of sums over images can be computed again for any choice of pictures: that is what a
bootstrap by picture needs, and what makes two runs comparable image by image.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sealbench.reports.schema.tables import CONFIDENCE_BIT, PLAIN_SUFFIX, SCORE_SUMS
from sealbench.reports.statistics.bits import agreeing_bits, confidence_differences, correct_bits, threshold_bits
from sealbench.reports.statistics.flips import negative_flips, neutral_flips, positive_flips

Sums = Mapping[str, np.ndarray]
"""By name (pictures,) float64."""


@dataclass(frozen=True)
class Statistic:
    """A metric as a function of sums over images.

    Attributes:
        sums: The names of what it needs.
        of: The metric, elementwise, of these sums in their order.
    """

    sums: tuple[str, ...]
    of: Callable[..., np.ndarray]


def _share(part: str, whole: str, scale: float = 1.0) -> Statistic:
    return Statistic((part, whole), lambda a, b: scale * a / b)


STATISTICS: dict[str, Statistic] = {
    "bit_accuracy": _share("right", "bits"),
    "bit_accuracy_delta": Statistic(("right", "reference_right", "bits"), lambda a, b, n: 100 * (a - b) / n),
    "bit_accuracy_ratio_pct": _share("right", "reference_right", 100),
    "bit_agreement": _share("agree", "bits"),
    "negative_flips": Statistic(("negative",), lambda a: a),
    "positive_flips": Statistic(("positive",), lambda a: a),
    "word_accuracy": _share("words", "images"),
    "log10_pvalue": _share("log10_pvalue", "images"),
    "tpr_at_fpr_1e-6": _share("accepted", "images"),
    "logits_mae": _share("absolute_error", "bits"),
    "logits_rmse": Statistic(("squared_error", "bits"), lambda a, n: np.sqrt(a / n)),
    "logits_mae_rel_pct": _share("absolute_error", "absolute_reference", 100),
    "snr_db": Statistic(("squared_reference", "squared_error"), lambda a, b: 10 * np.log10(a / b)),
    "detection_confidence": _share("confidence", "images"),
    "confidence_delta": _share("confidence_error", "all_images"),
    "neutral_flips": Statistic(("neutral",), lambda a: a),
    "score_mae": _share("score_error", "frames"),
    "score_error_pct": _share("score_error_pct", "frames"),
    "feature_error_pct": Statistic(("error_ss", "reference_ss"), lambda a, b: 100 * np.sqrt(a / b)),
    "feature_cosine": Statistic(("product", "found_ss", "reference_ss"), lambda a, b, c: a / np.sqrt(b * c)),
}
BINARY = {
    "bit_accuracy": "right",
    "bit_accuracy_delta": "right",
    "bit_accuracy_ratio_pct": "right",
    "bit_agreement": "agree",
}
"""Metrics that count single bits, and the column of `mark_bits` that they count: McNemar's test applies to them."""


def mark_bits(rows: pd.DataFrame) -> pd.DataFrame:
    """Mark of every bit what the metrics count.

    Args:
        rows: Of one file, columns of `load_samples` of BITS.

    Returns:
        The rows of single bits of watermarked images with the columns `right`, `agree` and `reference_right` (bool).
        A NaN is never right and agrees with nothing.
    """
    marked = rows[rows["message"].notna()].copy()
    logit, reference, message = (marked[name].to_numpy() for name in ("logit", "reference_logit", "message"))
    marked["right"] = correct_bits(logit, message)
    marked["reference_right"] = correct_bits(reference, message)
    marked["agree"] = agreeing_bits(logit, reference)
    return marked


def bit_sums(rows: pd.DataFrame, pictures: Mapping[str, str]) -> Sums:
    """Sum up the bits of a file over each picture.

    Args:
        rows: Of one file under one attack on one dataset, columns of `load_samples` of BITS.
        pictures: For each image, as "dataset/name", its picture; an image that is not there is a picture of its own.

    Returns:
        The sums; arrays of one length, the pictures in the order of their names.
    """
    bits = mark_bits(rows)
    error, reference = bits["logit"] - bits["reference_logit"], bits["reference_logit"]
    per_bit = {
        "bits": np.ones(len(bits)),
        "right": bits["right"],
        "reference_right": bits["reference_right"],
        "agree": bits["agree"],
        "negative": negative_flips(*_logits(bits), bits["message"].to_numpy()),
        "positive": positive_flips(*_logits(bits), bits["message"].to_numpy()),
        "absolute_error": error.abs(),
        "squared_error": error**2,
        "absolute_reference": reference.abs(),
        "squared_reference": reference**2,
    }
    images = _summed(per_bit, bits["sample"])
    images["images"] = 1.0
    images["words"] = images["right"] == images["bits"]
    images["log10_pvalue"] = stats.binom.logsf(images["right"] - 1, images["bits"], 0.5) / math.log(10)
    images["accepted"] = images["right"] >= images["bits"].map(lambda nbits: threshold_bits(int(nbits)))
    channel = rows[rows["bit"] == CONFIDENCE_BIT]
    change = confidence_differences(*_logits(channel))
    marked = channel[~channel["sample"].str.endswith(PLAIN_SUFFIX)]
    plain = rows[rows["sample"].str.endswith(PLAIN_SUFFIX) & (rows["bit"] != CONFIDENCE_BIT)]
    tables = [
        (images, images.index),
        (pd.DataFrame({"confidence": marked["logit"]}), marked["sample"]),
        (pd.DataFrame({"confidence_error": change, "all_images": 1.0}), channel["sample"]),
        (pd.DataFrame({"neutral": neutral_flips(*_logits(plain))}), plain["sample"]),
    ]
    return _by_picture(tables, pictures)


def score_sums(rows: pd.DataFrame, pictures: Mapping[str, str]) -> Sums:
    """Sum up the scores of a quality model over each picture or video.

    Args:
        rows: Of one file on one dataset, columns of `load_samples` of SCORES.
        pictures: See `bit_sums`.

    Returns:
        The sums; arrays of one length, the pictures in the order of their names.
    """
    error = (rows["score"] - rows["reference_score"]).abs()
    frames = {
        "frames": np.ones(len(rows)),
        "score_error": error,
        "score_error_pct": 100 * error / rows["reference_score"].abs(),
        **{name: rows[name] for name in SCORE_SUMS},
    }
    return _by_picture([(pd.DataFrame(frames), rows["sample"])], pictures)


def _logits(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Of the file and of PyTorch, (rows,) each."""
    return rows["logit"].to_numpy(), rows["reference_logit"].to_numpy()


def _summed(columns: Mapping[str, Any], by: Iterable[Any]) -> pd.DataFrame:
    """Sums of each column for each label, in the order of the labels; a NaN makes its sum NaN."""
    labels, codes = np.unique(np.array([str(label) for label in by], dtype=object), return_inverse=True)
    sums = {
        name: np.bincount(codes, weights=np.asarray(values, np.float64), minlength=len(labels))
        for name, values in columns.items()
    }
    return pd.DataFrame(sums, index=labels)


def _by_picture(tables: Iterable[tuple[pd.DataFrame, Iterable[Any]]], pictures: Mapping[str, str]) -> Sums:
    """Sum tables of images, beside the names of their samples, over the images of each picture."""
    found = []
    for table, samples in tables:
        # With and without its watermark it is one image.
        images = [str(sample).removesuffix(PLAIN_SUFFIX) for sample in samples]
        found.append(
            _summed(
                {str(name): table[name] for name in table.columns}, [pictures.get(image, image) for image in images]
            )
        )
    order = sorted({str(picture) for frame in found for picture in frame.index})
    return {
        str(name): values.reindex(order, fill_value=0.0).to_numpy(np.float64)
        for frame in found
        if len(frame)
        for name, values in frame.items()
    }
