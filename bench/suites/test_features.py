"""How close are the features of a network to those of PyTorch?"""

import pytest

from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.session.recorder import Recorder
from sealbench.bench.targets import Target
from sealbench.reports.statistics import scores as score_metrics

pytestmark = pytest.mark.suite(order=84, outputs=("features",))


@pytest.mark.measures("feature_error_pct", "feature_cosine", "nan_count")
def test_features(file_target: Target, dataset: str, group: GroupBench, record: Recorder) -> None:
    """Over all features of all frames at once: a frame of small features does not rule the error."""
    outputs = group.outputs(file_target, dataset)
    n = len(outputs.sums)
    error, reference = outputs.column("error_ss"), outputs.column("reference_ss")  # (n,) each
    record("feature_error_pct", score_metrics.feature_error_pct(error, reference), n)
    cosine = score_metrics.feature_cosine(outputs.column("product"), outputs.column("found_ss"), reference)
    record("feature_cosine", cosine, n)
    record("nan_count", outputs.column("nonfinite").sum(), n)
