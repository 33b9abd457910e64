"""Does a file give the scores that PyTorch gives, and does it put frames in the same order?"""

import pytest

from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.session.recorder import Recorder
from sealbench.bench.targets import Target
from sealbench.reports.statistics import scores as score_metrics
from sealbench.reports.statistics.intervals import clustered_mean_interval

pytestmark = pytest.mark.suite(order=86, outputs=("scores",))


@pytest.mark.measures(
    "score_mae", "score_error_pct", "score_error_max_pct", "rank_correlation", "pair_agreement", "nan_count"
)
def test_scores(file_target: Target, dataset: str, group: GroupBench, record: Recorder) -> None:
    """Differences of the scores, and agreement on the order over all frames and within each photograph."""
    sources = group.images(dataset).sources
    outputs = group.outputs(file_target, dataset)
    found, expected = outputs.scores, outputs.reference_scores  # (n,) each
    n = len(found)
    record("score_mae", abs(found - expected).mean(), n, clustered_mean_interval(abs(found - expected), sources))
    errors = score_metrics.score_errors_pct(found, expected)  # (n,)
    record("score_error_pct", errors.mean(), n, clustered_mean_interval(errors, sources))
    record("score_error_max_pct", errors.max(), n)
    record("rank_correlation", score_metrics.rank_correlation(found, expected), n)
    record("pair_agreement", score_metrics.pair_agreement(found, expected, sources), n)
    record("nan_count", outputs.column("nonfinite").sum(), n)
