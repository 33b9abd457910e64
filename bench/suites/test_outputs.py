"""How close is every output of a model to the reference's?"""

import pytest

from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.session.recorder import Recorder
from sealbench.bench.targets import Target
from sealbench.reports.statistics import outputs as metrics
from sealbench.reports.statistics.intervals import clustered_mean_interval


@pytest.mark.suite(order=82, outputs=("vectors", "values"))
@pytest.mark.measures("output_mae", "output_max_abs", "output_snr_db", "output_cosine", "nan_count")
def test_outputs(file_target: Target, dataset: str, group: GroupBench, record: Recorder) -> None:
    """Each metric of the output where it is worst: what is small beside other outputs is judged as they are."""
    sums = group.outputs(file_target, dataset).sums  # (samples, outputs, sums)
    n = len(sums)
    errors = metrics.mean_errors(sums)  # (samples,)
    record("output_mae", errors.mean(), n, clustered_mean_interval(errors, group.images(dataset).sources))
    record("output_max_abs", metrics.largest_error(sums), n)
    record("output_snr_db", metrics.snr_db(sums), n)
    record("output_cosine", metrics.cosine(sums), n)
    record("nan_count", metrics.column(sums, "nonfinite").sum(), n)


@pytest.mark.suite(order=82, outputs=("vectors",))
@pytest.mark.measures("top1_agreement")
def test_top1(file_target: Target, dataset: str, group: GroupBench, record: Recorder) -> None:
    """The class, the position or the token that is chosen, where outputs are such choices."""
    shares = metrics.top1_shares(group.outputs(file_target, dataset).sums)  # (samples,)
    interval = clustered_mean_interval(shares, group.images(dataset).sources)
    record("top1_agreement", shares.mean(), len(shares), interval)
