"""Is a watermark found where there is one, and only there?"""

import math

import numpy as np
import pytest

from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.session.recorder import Recorder
from sealbench.bench.targets import Target
from sealbench.bench.tasks.image_set import Outputs
from sealbench.datasets.messages import random_messages
from sealbench.reports.statistics import bits as metrics
from sealbench.reports.statistics import null_check
from sealbench.reports.statistics.intervals import clustered_mean_interval, proportion_interval

pytestmark = pytest.mark.suite(order=70, outputs=("bits",))

KEYS_SEED = 2
KEYS = 100
# At the rate of a real decision, 1e-6, nothing could be seen in a hundred images; at 1e-2 the tail can be checked.
FALSE_POSITIVE_RATE = 1e-2


@pytest.mark.measures("detection_confidence")
def test_detection_confidence(target: Target, dataset: str, group: GroupBench, record: Recorder) -> None:
    """Channel 0 on watermarked images, as the model gives it."""
    images = group.images(dataset)
    confidence = group.outputs(target, dataset).watermarked[:, 0]  # (n,)
    record(
        "detection_confidence",
        confidence.mean(dtype=float),
        len(images.ids),
        clustered_mean_interval(confidence, images.sources),
    )


@pytest.mark.measures("confidence_delta")
def test_confidence_delta(file_target: Target, dataset: str, group: GroupBench, record: Recorder) -> None:
    """How far the probability of a watermark is from the reference's, on watermarked and on plain images."""
    found = group.outputs(file_target, dataset).everything[:, 0]
    expected = group.outputs(group.reference, dataset).everything[:, 0]
    record("confidence_delta", metrics.confidence_delta(found, expected), len(found))


@pytest.mark.measures("false_positive_rate")
def test_false_positives(target: Target, plain_dataset: str, group: GroupBench, record: Recorder) -> None:
    """Share of plain images accepted as carrying one of a hundred fixed keys."""
    accepted = _accepted(group.outputs(target, plain_dataset))  # (n, KEYS)
    record(
        "false_positive_rate",
        accepted.mean(),
        len(accepted),
        clustered_mean_interval(accepted, group.images(plain_dataset).sources),
    )


@pytest.mark.measures("false_positive_rate_excess")
def test_false_positive_excess(file_target: Target, plain_dataset: str, group: GroupBench, record: Recorder) -> None:
    """False positives beyond the upper end of the reference's 95 % interval; none if at most 0.

    Of two intervals the one that reaches further: the pictures' (images of one picture err together), and the exact
    one of the proportion (no bootstrap sees what did not happen).
    """
    accepted = _accepted(group.outputs(file_target, plain_dataset))  # (n, KEYS)
    reference = _accepted(group.outputs(group.reference, plain_dataset))  # (n, KEYS)
    upper = math.nan
    if not np.isnan(reference).any():
        intervals = (
            clustered_mean_interval(reference, group.images(plain_dataset).sources),
            proportion_interval(int(reference.sum()), reference.size, "exact"),
        )
        upper = max(interval.high for interval in intervals if interval is not None)
    record("false_positive_rate_excess", accepted.mean() - upper, len(accepted))


@pytest.mark.measures("null_bit_imbalance", "null_bit_correlation", "worst_key_false_positive_rate")
def test_null(target: Target, plain_dataset: str, group: GroupBench, record: Recorder) -> None:
    """Without a watermark, bits are fair coins that know nothing of each other, and no fixed key is accepted often."""
    logits = _plain_logits(group.outputs(target, plain_dataset))  # (n, nbits)
    n = len(logits)
    record("null_bit_imbalance", null_check.bit_imbalance(logits), n)
    record("null_bit_correlation", null_check.bit_correlation(logits), n)
    rate = null_check.worst_key_false_positive_rate(logits, _keys(logits.shape[1]), FALSE_POSITIVE_RATE)
    record("worst_key_false_positive_rate", rate, n)


@pytest.mark.measures("null_balance_shift")
def test_null_shift(file_target: Target, plain_dataset: str, group: GroupBench, record: Recorder) -> None:
    """How far the file moves the balance of the bits without a watermark."""
    logits = _plain_logits(group.outputs(file_target, plain_dataset))  # (n, nbits)
    reference = _plain_logits(group.outputs(group.reference, plain_dataset))  # (n, nbits)
    record("null_balance_shift", null_check.balance_shift(logits, reference), len(logits))


def _accepted(outputs: Outputs) -> np.ndarray:
    """Whether each plain image passes for each key, (n, KEYS) of 0.0 and 1.0, or NaN where it has a NaN logit."""
    logits = _plain_logits(outputs)
    return null_check.accepted_keys(logits, _keys(logits.shape[1]), FALSE_POSITIVE_RATE)


def _plain_logits(outputs: Outputs) -> np.ndarray:
    """Bit logits of the images without a watermark, (n, nbits)."""
    assert outputs.plain is not None
    return outputs.plain[:, 1:]


def _keys(nbits: int) -> np.ndarray:
    """The fixed keys, (KEYS, nbits) of 0 and 1."""
    return random_messages(KEYS, nbits, KEYS_SEED)
