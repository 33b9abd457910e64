"""How long does one image take, and how much faster is the file than PyTorch and than float32?"""

from typing import Any

import pytest

from bench.latency import speedup, summarize
from bench.recorder import Recorder
from bench.targets import Target
from bench.workbench import GroupBench


@pytest.mark.measures("latency_ms", "latency_p90_ms", "latency_p99_ms")
def test_latency(target: Target, group: GroupBench, record: Recorder) -> None:
    """Median and tails over interleaved rounds, in which each target of the group runs once."""
    summary = summarize(group.latencies)[str(target)]
    record("latency_ms", summary.median_ms, summary.rounds, summary.median_interval)
    # Tails carry no interval: it takes 368 rounds to bound the 99th percentile from above.
    record("latency_p90_ms", summary.p90_ms, summary.rounds)
    record("latency_p99_ms", summary.p99_ms, summary.rounds)


@pytest.mark.measures("speedup_vs_torch", "speedup_vs_float32")
def test_speedup(file_target: Target, group: GroupBench, record: Recorder) -> None:
    """Ratios of medians from the same rounds, with intervals from resampled rounds."""
    for metric, base in (
        ("speedup_vs_torch", str(group.reference)),
        ("speedup_vs_float32", group.float32_name(file_target)),
    ):
        found = speedup(group.latencies, of=str(file_target), against=base)
        record(metric, found.ratio, found.rounds, found.interval)


@pytest.mark.measures("speedup_vs_plain")
def test_speedup_of_rewrites(rewritten_target: Target, group: GroupBench, record: Recorder) -> None:
    """What the rewrites gain over the same file without them."""
    found = speedup(group.latencies, of=str(rewritten_target), against=str(rewritten_target.plain))
    record("speedup_vs_plain", found.ratio, found.rounds, found.interval)


@pytest.mark.measures()
def test_absolute_time(target: Target, group: GroupBench, benchmark: Any) -> None:
    """Absolute times for pytest-benchmark's own table and JSON; reported, never judged."""
    benchmark.group = f"{group.group.variant.name} at {group.group.size}"
    benchmark.pedantic(group.runner(target), args=group.random_inputs, rounds=10, warmup_rounds=2)
