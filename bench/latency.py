"""Latency of things that are compared: measured in turns, summarized as medians and ratios with intervals."""

import gc
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from bench.intervals import Interval, median_ratio_interval, quantile_interval

_NS_PER_MS = 1e6
_NS_PER_S = 1e9
SETTLE_MS = 20
# As many rounds as fit the time, within these bounds; more say more of a small model, whose time varies more.
TIMED_S = 8
ROUNDS = (20, 100)
WARM_UP_CALLS, WARM_UP_S = 3, 1
# Where the fewest rounds would take longer than this, there are fewer still.
SLOW_S, SLOW_ROUNDS = 60, 6


@dataclass(frozen=True)
class LatencySample:
    """One timed call.

    Attributes:
        name: what was called.
        round: 0 for the first round; the calls of one round belong together.
        position: 0 for the call that went first in its round.
        latency_ms: wall-clock time in milliseconds.
    """

    name: str
    round: int
    position: int
    latency_ms: float


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
    """How many times as fast one is as another: ratio of medians with its 95 % interval (None for one round)."""

    ratio: float
    interval: Interval | None
    rounds: int


def interleaved(
    named_calls: Mapping[str, Callable[[], object]],
    rounds: int,
    warmup: int = 3,
    settle_ms: float | None = SETTLE_MS,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> tuple[LatencySample, ...]:
    """Time calls in turns, so that what slows the machine down for a while slows all of them down.

    The orders are those of `turn_orders`. Before its timed call each runs untimed, once or until `settle_ms` have
    passed. That settles what the one before it left behind: the threads of PyTorch's pool keep spinning for some
    milliseconds after their work, and on two cores made an int8 detector 40 % slower when it came right after
    PyTorch, but not on one thread, nor after a pause.

    Args:
        named_calls: at least one; each call is one unit of work.
        rounds: timed calls of each, at least 1.
        warmup: untimed calls of each before the first round.
        settle_ms: each turn begins with untimed calls, at least one, until so much time has passed; None for none.
        clock: time in nanoseconds.

    Returns:
        The samples in the order they were taken.

    Raises:
        ValueError: nothing to call, or no rounds.
    """
    if not named_calls or rounds < 1:
        raise ValueError(f"found {len(named_calls)} calls and {rounds} rounds; expected at least one of each")
    for call in named_calls.values():
        for _ in range(warmup):
            call()
    orders = turn_orders(len(named_calls))
    names = tuple(named_calls)
    samples = []
    with _garbage_collector_paused():
        for number in range(rounds):
            for position, index in enumerate(orders[number % len(orders)]):
                call = named_calls[names[index]]
                turn = clock()
                if settle_ms is not None:
                    call()
                    while clock() - turn < settle_ms * _NS_PER_MS:
                        call()
                start = clock()
                call()
                stop = clock()
                samples.append(LatencySample(names[index], number, position, (stop - start) / _NS_PER_MS))
    return tuple(samples)


def affordable_rounds(
    named_calls: Mapping[str, Callable[[], object]], clock: Callable[[], int] = time.perf_counter_ns
) -> tuple[LatencySample, ...]:
    """Time calls in turns, as many rounds as fit the time that the bench gives to them.

    Every order of the calls is taken equally often. Slow calls get fewer rounds (their times vary less), and are not
    settled: what the call before left behind is milliseconds.

    Args:
        named_calls: see `interleaved`.
        clock: time in nanoseconds.

    Returns:
        The samples in the order they were taken.
    """
    round_s = sum(_warm_up(call, clock) for call in named_calls.values())
    slow = ROUNDS[0] * 2 * round_s > SLOW_S
    turns_s = round_s if slow else 2 * round_s  # one call to settle, one to time
    least = SLOW_ROUNDS if slow else ROUNDS[0]
    wanted = min(max(TIMED_S / turns_s, least), ROUNDS[1])
    orders = len(turn_orders(len(named_calls)))
    rounds = orders * math.ceil(wanted / orders)
    return interleaved(named_calls, rounds, warmup=0, settle_ms=None if slow else SETTLE_MS, clock=clock)


def _warm_up(call: Callable[[], object], clock: Callable[[], int]) -> float:
    """Call until it is warm; how long the last call took, in seconds."""
    began = clock()
    for _ in range(WARM_UP_CALLS):
        start = clock()
        call()
        if clock() - began > WARM_UP_S * _NS_PER_S:
            break
    return (clock() - start) / _NS_PER_S


def turn_orders(count: int) -> tuple[tuple[int, ...], ...]:
    """Orders of 0 .. count - 1 in which each takes every position equally often and follows each other equally often.

    A design of E. J. Williams (Experimental designs balanced for the estimation of residual effects of treatments,
    1949): `count` orders for an even count, twice as many for an odd one. A plain rotation would balance the
    positions alone: each would always follow the same neighbour.
    """
    zigzag = [number // 2 if number % 2 == 0 else count - 1 - number // 2 for number in range(count)]  # 0, n-1, 1, ...
    orders = [tuple((index + shift) % count for index in zigzag) for shift in range(count)]
    if count % 2 and count > 1:
        orders += [order[::-1] for order in orders]
    return tuple(orders)


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


def speedup(samples: Iterable[LatencySample], of: str, against: str) -> Speedup:
    """How many times as fast `of` is as `against`: above 1 where `of` is faster.

    Only rounds in which both ran are used.

    Raises:
        ValueError: there is no such round.
    """
    by_name = _by_name(samples)
    ours, theirs = by_name.get(of, {}), by_name.get(against, {})
    rounds = sorted(ours.keys() & theirs.keys())
    if not rounds:
        raise ValueError(f"no round in which both {of} and {against} ran; found: {', '.join(by_name) or 'nothing'}")
    our_times = np.array([ours[number] for number in rounds])
    their_times = np.array([theirs[number] for number in rounds])
    return Speedup(
        ratio=float(np.median(their_times) / np.median(our_times)),
        interval=median_ratio_interval(their_times, our_times),
        rounds=len(rounds),
    )


def _by_name(samples: Iterable[LatencySample]) -> dict[str, dict[int, float]]:
    """Name to round to latency in milliseconds."""
    times: dict[str, dict[int, float]] = {}
    for sample in samples:
        times.setdefault(sample.name, {})[sample.round] = sample.latency_ms
    return times


@contextmanager
def _garbage_collector_paused() -> Iterator[None]:
    """No collection in the middle of a timed call; as it was before, afterwards."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
