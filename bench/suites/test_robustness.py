"""What is left of the message after an attack, and does a precision lose more of it than PyTorch does?"""

import numpy as np
import pytest

from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.session.recorder import Recorder
from sealbench.bench.suites import recorded_bits
from sealbench.bench.targets import Target
from sealbench.datasets.attacks import jpeg_qualities
from sealbench.reports.statistics import bits as metrics
from sealbench.reports.statistics.jpeg_cost import jpeg_quality_cost

pytestmark = pytest.mark.suite(order=80, outputs=("bits",))


@pytest.mark.measures(*recorded_bits.ACCURACY_METRICS, "nan_count")
def test_attacked(target: Target, dataset: str, attack: str, group: GroupBench, record: Recorder) -> None:
    """Bits and messages read right of attacked images, the same images for every precision."""
    outputs = group.outputs(target, dataset, attack).watermarked
    recorded_bits.record_accuracy(record, outputs[:, 1:], group.images(dataset))
    record("nan_count", metrics.nan_count(outputs), len(outputs))


@pytest.mark.measures("bit_agreement", "bit_accuracy_delta", *recorded_bits.FLIP_METRICS)
def test_attacked_against_pytorch(
    file_target: Target, dataset: str, attack: str, group: GroupBench, record: Recorder
) -> None:
    """What the conversion costs under the attack, paired by image and bit with the reference."""
    images = group.images(dataset)
    logits = group.outputs(file_target, dataset, attack).watermarked[:, 1:]  # (n, nbits)
    reference = group.outputs(group.reference, dataset, attack).watermarked[:, 1:]  # (n, nbits)
    recorded_bits.record_agreement(record, logits, reference, images)
    recorded_bits.record_delta(record, logits, reference, images)
    recorded_bits.record_flips(record, logits, reference, images)


@pytest.mark.measures("jpeg_quality_cost")
def test_jpeg_quality_cost(file_target: Target, jpeg_dataset: str, group: GroupBench, record: Recorder) -> None:
    """How much better a JPEG has to be for the file to read as many bits of it as PyTorch."""
    images = group.images(jpeg_dataset)
    qualities = jpeg_qualities(group.attacks)
    logits, reference = (
        np.stack([group.outputs(target, jpeg_dataset, attack).watermarked[:, 1:] for attack in qualities])
        for target in (file_target, group.reference)
    )  # (k, n, nbits) each
    cost, interval = jpeg_quality_cost(list(qualities.values()), logits, reference, images.messages, images.sources)
    record("jpeg_quality_cost", cost, len(images.ids), interval)
