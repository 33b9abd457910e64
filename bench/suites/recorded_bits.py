"""What is recorded of decoded bits, on attacked images as on others: each value with its interval by picture.

Shapes: n images, nbits bits. `logits` of the model and `reference` of PyTorch are (n, nbits) float; `images` have
the messages and the pictures that the images were cut from.
"""

import numpy as np

from sealbench.bench.session.recorder import Recorder
from sealbench.bench.tasks.image_set import ImageLabels
from sealbench.reports.statistics import bits as metrics
from sealbench.reports.statistics import flips
from sealbench.reports.statistics.intervals import clustered_mean_interval

ACCURACY_METRICS = ("bit_accuracy", "word_accuracy", "log10_pvalue", "tpr_at_fpr_1e-6")
FLIP_METRICS = ("negative_flips", "positive_flips", "mcnemar_pvalue", "bit_accuracy_ratio_pct")


def record_accuracy(record: Recorder, logits: np.ndarray, images: ImageLabels) -> None:
    """Record ACCURACY_METRICS: right bits and whole messages, and the decisions that follow from the bits alone."""
    right = metrics.correct_bits(logits, images.messages)  # (n, nbits)
    _record_mean(record, "bit_accuracy", right.mean(axis=1), images)
    _record_mean(record, "word_accuracy", np.all(right, axis=1), images)
    _record_mean(record, "log10_pvalue", metrics.log10_pvalues(logits, images.messages), images)
    _record_mean(record, "tpr_at_fpr_1e-6", metrics.accepted(logits, images.messages, 1e-6), images)


def record_delta(record: Recorder, logits: np.ndarray, reference: np.ndarray, images: ImageLabels) -> None:
    """Record `bit_accuracy_delta`: what the conversion costs in percentage points, paired by image and bit."""
    right, reference_right = (metrics.correct_bits(one, images.messages).mean(axis=1) for one in (logits, reference))
    _record_mean(record, "bit_accuracy_delta", 100 * (right - reference_right), images)


def record_agreement(record: Recorder, logits: np.ndarray, reference: np.ndarray, images: ImageLabels) -> None:
    """Record `bit_agreement`: bits decided as PyTorch decides them, right or wrong."""
    _record_mean(record, "bit_agreement", metrics.agreeing_bits(logits, reference).mean(axis=1), images)


def record_flips(record: Recorder, logits: np.ndarray, reference: np.ndarray, images: ImageLabels) -> None:
    """Record FLIP_METRICS: negative and positive flips, and whether that is more than chance or than a percent."""
    n = len(images.ids)
    negative = int(flips.negative_flips(logits, reference, images.messages).sum())
    positive = int(flips.positive_flips(logits, reference, images.messages).sum())
    record("negative_flips", negative, n)
    record("positive_flips", positive, n)
    record("mcnemar_pvalue", flips.mcnemar_pvalue(negative, positive), n)
    ratio, interval = flips.accuracy_ratio_pct(logits, reference, images.messages, images.sources)
    record("bit_accuracy_ratio_pct", ratio, n, interval)


def _record_mean(record: Recorder, metric: str, values: np.ndarray, images: ImageLabels) -> None:
    """Record the mean of values (n,) of the images."""
    record(metric, values.mean(), len(images.ids), clustered_mean_interval(values, images.sources))
