"""Is a watermark found where there is one, and only there?"""

import numpy as np
import pytest

from bench import metrics
from bench.intervals import clustered_mean_interval, proportion_interval
from bench.recorder import Recorder
from bench.targets import Target
from bench.workbench import GroupBench, Outputs
from datasets.messages import random_messages

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
    intervals = (
        clustered_mean_interval(reference, group.images(plain_dataset).sources),
        proportion_interval(int(reference.sum()), reference.size, "exact"),
    )
    upper = max(interval.high for interval in intervals if interval is not None)
    record("false_positive_rate_excess", accepted.mean() - upper, len(accepted))


def _accepted(outputs: Outputs) -> np.ndarray:
    """Whether each plain image passes for each key, (n, KEYS)."""
    assert outputs.plain is not None
    logits = outputs.plain[:, 1:]  # (n, nbits)
    keys = random_messages(KEYS, logits.shape[1], KEYS_SEED)  # (KEYS, nbits)
    return metrics.matched_bits(logits, keys) >= metrics.threshold_bits(logits.shape[1], FALSE_POSITIVE_RATE)
