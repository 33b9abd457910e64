"""Which bits does the file decide otherwise than the PyTorch reference, and does it read as many?"""

import pytest

from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.session.recorder import Recorder
from sealbench.bench.suites import recorded_bits
from sealbench.bench.targets import Target
from sealbench.reports.statistics import flips
from sealbench.reports.statistics.intervals import clustered_mean_interval

pytestmark = pytest.mark.suite(order=60, outputs=("bits",))


@pytest.mark.measures(*recorded_bits.FLIP_METRICS)
def test_flips(file_target: Target, dataset: str, group: GroupBench, record: Recorder) -> None:
    """Negative and positive flips, and whether that is more than chance and less than a percent."""
    logits = group.outputs(file_target, dataset).watermarked[:, 1:]  # (n, nbits)
    reference = group.outputs(group.reference, dataset).watermarked[:, 1:]  # (n, nbits)
    recorded_bits.record_flips(record, logits, reference, group.images(dataset))


@pytest.mark.measures("bits_at_risk_pct", "tied_bits")
def test_margins(file_target: Target, dataset: str, group: GroupBench, record: Recorder) -> None:
    """How near the bits are to flipping, whether they flipped here or not."""
    images = group.images(dataset)
    outputs = group.outputs(file_target, dataset)
    reference = group.outputs(group.reference, dataset).watermarked[:, 1:]  # (n, nbits)
    at_risk = 100 * flips.bits_at_risk(outputs.watermarked[:, 1:], reference).mean(axis=1)  # (n,)
    record("bits_at_risk_pct", at_risk.mean(), len(images.ids), clustered_mean_interval(at_risk, images.sources))
    record("tied_bits", flips.tied_bits(outputs.everything[:, 1:]), len(outputs.everything))


@pytest.mark.measures("neutral_flips")
def test_neutral_flips(file_target: Target, plain_dataset: str, group: GroupBench, record: Recorder) -> None:
    """Bits decided otherwise where there is no message to read."""
    logits, reference = (
        group.outputs(target, plain_dataset).plain for target in (file_target, group.reference)
    )  # (n, 1 + nbits) each
    assert logits is not None
    assert reference is not None
    record("neutral_flips", flips.neutral_flips(logits[:, 1:], reference[:, 1:]).sum(), len(logits))
