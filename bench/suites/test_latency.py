"""How long does one image take, and how much faster is the file than PyTorch and than float32?"""

import math
from typing import Any

import pytest

from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.session.recorder import Recorder
from sealbench.bench.targets import Target
from sealbench.bench.timing.interim import INTERIM_CONFIDENCE
from sealbench.reports.statistics.intervals import Interval
from sealbench.reports.statistics.latency import speedup, summarize

pytestmark = pytest.mark.suite(order=100, timed=True)

# For pytest-benchmark's table: ten calls of a file, fewer where they take longer than so many seconds together.
ABSOLUTE_ROUNDS, ABSOLUTE_S = 10, 10


@pytest.mark.measures("latency_ms", "latency_p90_ms", "latency_p99_ms")
def test_latency(target: Target, group: GroupBench, record: Recorder) -> None:
    """Median and tails over interleaved rounds, in which each target of the group runs once."""
    summary = summarize(group.timings.of(str(target)).samples)[str(target)]
    record("latency_ms", summary.median_ms, summary.rounds, summary.median_interval)
    # It takes 36 rounds to bound the 90th percentile from above, and 368 to bound the 99th.
    record("latency_p90_ms", summary.p90_ms, summary.rounds, _if_bounded(summary.p90_interval))
    record("latency_p99_ms", summary.p99_ms, summary.rounds, _if_bounded(summary.p99_interval))


@pytest.mark.measures("load_ms", "first_ms", "peak_memory_mb", "bare_memory_mb")
def test_start(target: Target, group: GroupBench, record: Recorder) -> None:
    """A fresh process that does nothing else: loading, the first call, and the memory of it all; once each."""
    timings = group.timings.of(str(target))
    start, warm = timings.starts[str(target)], timings.warm[str(target)]
    record("load_ms", start.load_ms, n=1)
    record("first_ms", warm.first_ms, n=1)
    record("peak_memory_mb", warm.peak_mb, n=1)
    record("bare_memory_mb", start.bare_mb, n=1)


@pytest.mark.measures("speedup_vs_torch")
def test_speedup_over_torch(file_target: Target, group: GroupBench, record: Recorder) -> None:
    """Ratio of medians from the same rounds, with an interval from resampled rounds."""
    _record_speedup("speedup_vs_torch", file_target, group, record)


@pytest.mark.measures("speedup_vs_float32")
def test_speedup_over_float32(file_target: Target, group: GroupBench, record: Recorder) -> None:
    """The same over the float32 file."""
    _record_speedup("speedup_vs_float32", file_target, group, record)


@pytest.mark.measures("speedup_vs_plain")
def test_speedup_of_rewrites(rewritten_target: Target, group: GroupBench, record: Recorder) -> None:
    """What the rewrites gain over the same file without them."""
    _record_speedup("speedup_vs_plain", rewritten_target, group, record)


@pytest.mark.measures()
def test_absolute_time(target: Target, group: GroupBench, benchmark: Any) -> None:
    """Absolute times for pytest-benchmark's own table and JSON, with the way to the process; reported, never judged."""
    benchmark.group = f"{group.group.variant.name} at {group.group.size}"
    fitting = int(ABSOLUTE_S / group.timings.of(str(target)).warm[str(target)].call_s)
    rounds = min(max(fitting, 1), ABSOLUTE_ROUNDS)
    with group.open(target) as session:
        picture = session.put(*group.random_inputs)
        benchmark.pedantic(session.infer, args=([picture],), rounds=rounds, warmup_rounds=min(rounds, 2))


def _record_speedup(metric: str, target: Target, group: GroupBench, record: Recorder) -> None:
    name, base = str(target), group.speed_bases(target)[metric]
    found = speedup(group.timings.of(name, base).samples, name, base, INTERIM_CONFIDENCE)
    record(metric, found.ratio, found.rounds, found.interval)


def _if_bounded(interval: Interval) -> Interval | None:
    return interval if all(map(math.isfinite, interval)) else None
