"""Does the detector read the embedded message, and as well as the PyTorch reference does?"""

import pytest

from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.session.recorder import Recorder
from sealbench.bench.suites import recorded_bits
from sealbench.bench.targets import Target
from sealbench.reports.statistics.intervals import clustered_mean_interval

pytestmark = pytest.mark.suite(order=50, outputs=("bits",))


@pytest.mark.measures(*recorded_bits.ACCURACY_METRICS)
def test_bit_accuracy(target: Target, dataset: str, group: GroupBench, record: Recorder) -> None:
    """Bits and whole messages read right, and the decisions that follow from the bits alone."""
    recorded_bits.record_accuracy(record, group.outputs(target, dataset).watermarked[:, 1:], group.images(dataset))


@pytest.mark.measures("bit_accuracy_delta")
def test_bit_accuracy_delta(file_target: Target, dataset: str, group: GroupBench, record: Recorder) -> None:
    """What the conversion costs in percentage points, paired by image and bit with the reference."""
    reference = group.outputs(group.reference, dataset).watermarked[:, 1:]  # (n, nbits)
    logits = group.outputs(file_target, dataset).watermarked[:, 1:]  # (n, nbits)
    recorded_bits.record_delta(record, logits, reference, group.images(dataset))


@pytest.mark.measures("psnr_db")
def test_psnr(reference_target: Target, plain_dataset: str, group: GroupBench, record: Recorder) -> None:
    """How visible the watermark is whose bits are read here."""
    images = group.images(plain_dataset)
    record("psnr_db", images.psnr_db.mean(), len(images.ids), clustered_mean_interval(images.psnr_db, images.sources))
