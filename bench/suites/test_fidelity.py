"""How close are the logits to the PyTorch reference's, on watermarked images?"""

from dataclasses import replace

import pytest

from sealbench.bench.backends.registry import DEFAULT_BACKEND
from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.session.recorder import Recorder
from sealbench.bench.suites import recorded_bits
from sealbench.bench.targets import Target
from sealbench.reports.statistics import bits as metrics

pytestmark = pytest.mark.suite(order=40, outputs=("bits",))


@pytest.mark.measures(
    "bit_agreement",
    "logits_mae",
    "logits_rmse",
    "logits_max_abs",
    "logits_mae_rel_pct",
    "snr_db",
    "nan_count",
)
def test_fidelity(file_target: Target, dataset: str, group: GroupBench, record: Recorder) -> None:
    """Agreement of the bits and errors of the bit logits; NaN and infinities are counted over all outputs."""
    images = group.images(dataset)
    outputs = group.outputs(file_target, dataset)
    found = outputs.watermarked[:, 1:]  # (n, nbits)
    expected = group.outputs(group.reference, dataset).watermarked[:, 1:]  # (n, nbits)
    n = len(images.ids)
    recorded_bits.record_agreement(record, found, expected, images)
    record("logits_mae", metrics.logits_mae(found, expected), n)
    record("logits_rmse", metrics.logits_rmse(found, expected), n)
    record("logits_max_abs", metrics.logits_max_abs(found, expected), n)
    record("logits_mae_rel_pct", metrics.logits_mae_rel_pct(found, expected), n)
    record("snr_db", metrics.snr_db(found, expected), n)
    record("nan_count", metrics.nan_count(outputs.everything), len(outputs.everything))


@pytest.mark.measures("litert_max_abs_diff")
def test_backends(second_target: Target, dataset: str, group: GroupBench, record: Recorder) -> None:
    """How far the kernels of another backend are from those of the default one on the same file, in logits."""
    found = group.outputs(second_target, dataset).everything
    expected = group.outputs(replace(second_target, backend=DEFAULT_BACKEND), dataset).everything
    record("litert_max_abs_diff", metrics.logits_max_abs(found, expected), len(found))
