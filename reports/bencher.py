"""A run in Bencher's metric format: JSON of benchmark, measure, and a value with both ends of its interval.

The format: https://bencher.dev/docs/reference/bencher-metric-format. Cheap to import: plain Python only.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from reports.files import write_atomically
from reports.formatting import images_label
from reports.metric_registry import reason_not_applicable
from reports.records import NO_REWRITES, Measurement
from reports.run_reader import load_results

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
        if not math.isfinite(row.value) or reason_not_applicable(row.metric, row.weights):
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
    rewrites = "" if row.rewrites == NO_REWRITES else f" {row.rewrites}"
    case = f"{row.variant} {row.weights} {row.image_size} {row.mode} {row.precision}{rewrites} {row.backend}"
    images = images_label(row.dataset, row.attack)
    return f"{case} threads={row.threads}{f', {images}' if images else ''}"[:LONGEST_BENCHMARK]


def main(arguments: Sequence[str]) -> int:
    """`python -m reports bencher RUN_DIR [--out FILE]`.

    Args:
        arguments: What follows the command's name.

    Returns:
        0.

    Raises:
        ReportError: The folder holds no run, or the file cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="python -m reports bencher", description="Write a saved run in Bencher's metric format, for `bencher run`."
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="folder of a run")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to (default: standard output)")
    options = parser.parse_args(arguments)
    text = json.dumps(bencher_metrics(load_results(options.run_dir)), indent=2, allow_nan=False) + "\n"
    if options.out is None:
        sys.stdout.write(text)
    else:
        print(f"written: {write_atomically(options.out, text)}")
    return 0
