"""A run in Bencher's metric format: JSON of benchmark, measure, and a value with both ends of its interval.

The format: https://bencher.dev/docs/reference/bencher-metric-format. Cheap to import: plain Python only.
"""

import math
from collections.abc import Iterable

from sealbench.reports.schema.formatting import images_label
from sealbench.reports.schema.metrics import reason_not_applicable
from sealbench.reports.schema.records import NO_REWRITES, UPSTREAM, Measurement

LONGEST_BENCHMARK = 1024
"""Characters of a benchmark's name that Bencher takes."""

Metric = dict[str, float]


def bencher_metrics(measurements: Iterable[Measurement]) -> dict[str, dict[str, Metric]]:
    """Put measurements into Bencher's form.

    A benchmark is a case on its images, a measure is one of our metrics in its own unit.

    Args:
        measurements: Of one run.

    Returns:
        For each benchmark and measure `value`, and `lower_value` and `upper_value` where there is a finite interval.
        Values that are not finite (JSON has none) and those that mean nothing for their weights are left out.
    """
    found: dict[str, dict[str, Metric]] = {}
    for row in measurements:
        if not math.isfinite(row.value) or reason_not_applicable(row.metric, row.case.weights):
            continue
        metric = {"value": row.value}
        for name, end in (("lower_value", row.ci_low), ("upper_value", row.ci_high)):
            if end is not None and math.isfinite(end):
                metric[name] = end
        found.setdefault(benchmark_name(row), {})[row.metric] = metric
    return found


def benchmark_name(row: Measurement) -> str:
    """Name what a measurement is of, so that it stays the same from run to run.

    Args:
        row: Any measurement.

    Returns:
        For example "videoseal_nano bundled 256 simple int8 litert threads=2, photographs".
    """
    case = row.case
    rewrites = "" if case.rewrites == NO_REWRITES else f" {case.rewrites}"
    name = f"{case.variant} {case.weights} {case.image_size} {case.mode} {case.precision}{rewrites} {case.backend}"
    name += "" if case.preprocess == UPSTREAM else f" {case.preprocess}"
    images = images_label(row.dataset, row.attack)
    return f"{name} threads={case.threads}{f', {images}' if images else ''}"[:LONGEST_BENCHMARK]
