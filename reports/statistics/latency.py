"""Latency of things that are compared: percentiles and ratios, with intervals, of interleaved rounds.

Intervals rest on rounds that are independent of each other. Where other programs take the processors they are not:
the scheduler may hold back one of two processes for many rounds. On two cores that were taken, ten comparisons of a
file with itself had ratios from 0.59 to 1.61, and in 86 to 100 % of their calls the threads had waited for a processor
for more than 5 % of the time; on the same cores without other programs it was 0 to 4 % in six comparisons, with ratios
from 0.987 to 0.998. So a ratio that was taken while the machine was busy has no interval, and no gate that is judged by
it passes or fails.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sealbench.reports.schema.samples import LatencySample
from sealbench.reports.statistics.intervals import CONFIDENCE, Interval, median_ratio_interval, quantile_interval

# A timed call is disturbed if its threads together waited longer than this share of its time; a machine is busy if more
# than this share of the calls were.
DISTURBED = 0.1
BUSY = 0.25


@dataclass(frozen=True)
class LatencySummary:
    """Percentiles of the latency in milliseconds, each with its 95 % interval, over `rounds` samples.

    The upper end of an interval is infinite where there are too few rounds to bound it.
    """

    rounds: int
    median_ms: float
    median_interval: Interval
    p90_ms: float
    p90_interval: Interval
    p99_ms: float
    p99_interval: Interval


@dataclass(frozen=True)
class Speedup:
    """How many times as fast one is as another: ratio of medians with its interval.

    The interval is None for one round, and where the machine was busy (`was_busy`).
    """

    ratio: float
    interval: Interval | None
    rounds: int


def summarize(samples: Iterable[LatencySample]) -> dict[str, LatencySummary]:
    """Percentiles of each name, the names in the order in which they first appear."""
    summaries = {}
    for name, times in _by_name(samples).items():
        values = np.array(list(times.values()))  # (rounds,)
        median, p90, p99 = (float(value) for value in np.percentile(values, (50, 90, 99)))
        summaries[name] = LatencySummary(
            rounds=len(values),
            median_ms=median,
            median_interval=quantile_interval(values),
            p90_ms=p90,
            p90_interval=quantile_interval(values, 0.9),
            p99_ms=p99,
            p99_interval=quantile_interval(values, 0.99),
        )
    return summaries


def speedup(samples: Iterable[LatencySample], name: str, base: str, confidence: float = CONFIDENCE) -> Speedup:
    """How many times as fast `name` is as `base`: above 1 where `name` is faster.

    Only rounds in which both ran are used; `confidence`, in (0, 1), is that of the interval.

    Raises:
        ValueError: there is no such round.
    """
    samples = list(samples)
    by_name = _by_name(samples)
    ours, theirs = by_name.get(name, {}), by_name.get(base, {})
    rounds = sorted(ours.keys() & theirs.keys())
    if not rounds:
        raise ValueError(f"no round in which both {name} and {base} ran; found: {', '.join(by_name) or 'nothing'}")
    our_times = np.array([ours[number] for number in rounds])
    their_times = np.array([theirs[number] for number in rounds])
    common = set(rounds)  # PyTorch and float32 are also in the batches of other files
    busy = was_busy([sample for sample in samples if sample.name in {name, base} and sample.round in common])
    return Speedup(
        ratio=float(np.median(their_times) / np.median(our_times)),
        interval=None if busy else median_ratio_interval(their_times, our_times, confidence),
        rounds=len(rounds),
    )


def was_busy(samples: Sequence[LatencySample]) -> bool:
    """Whether other programs took the processors in too large a share of the calls; not where that is not known."""
    known = [sample for sample in samples if not math.isnan(sample.waited_ms)]
    disturbed = [sample for sample in known if sample.waited_ms > DISTURBED * sample.latency_ms]
    return len(disturbed) > BUSY * len(known)


def _by_name(samples: Iterable[LatencySample]) -> dict[str, dict[int, float]]:
    """Name to round to latency in milliseconds."""
    times: dict[str, dict[int, float]] = {}
    for sample in samples:
        times.setdefault(sample.name, {})[sample.round] = sample.latency_ms
    return times
