"""Times calls in interleaved rounds."""

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from sealbench.bench.backends.worker.session import WorkerSession
from sealbench.bench.backends.worker.timed_call import TimedCall, time_call
from sealbench.reports.schema.samples import LatencySample

SETTLE_MS = 20
# As many rounds as fit the time, within these bounds; more say more of a small model, whose time varies more.
TIMED_S = 8
ROUNDS = (20, 100)
# Where the fewest rounds would take longer than this, there are fewer still.
SLOW_S, SLOW_ROUNDS = 60, 6


@dataclass(frozen=True)
class Timed:
    """A model that is timed on one picture.

    Attributes:
        session: the model in its process.
        picture: the number under which the picture was put.
    """

    session: WorkerSession
    picture: int


def timed_calls(models: Mapping[str, Timed], settle_ms: float | None) -> dict[str, Callable[[], TimedCall]]:
    """What `take_rounds` takes: one timed call of each model, see `WorkerSession.time_call`."""
    return {name: partial(one.session.time_call, one.picture, settle_ms) for name, one in models.items()}


def take_rounds(calls: Mapping[str, Callable[[], TimedCall]], rounds: int, first: int = 0) -> tuple[LatencySample, ...]:
    """Time all calls once in each round, so that what slows the machine down for a while slows all of them down.

    Args:
        calls: at least one, by name; each times one call of its own.
        rounds: of one call each, at least 1. The orders are those of `round_orders`.
        first: number of the first round, where some have been taken before.

    Returns:
        The samples in the order they were taken.

    Raises:
        ValueError: nothing to call, or no rounds.
    """
    if not calls or rounds < 1:
        raise ValueError(f"found {len(calls)} calls and {rounds} rounds; expected at least one of each")
    orders = round_orders(len(calls))
    names = tuple(calls)
    return tuple(
        LatencySample(names[index], number, position, timed.latency_ms, timed.waited_ms)
        for number in range(first, first + rounds)
        for position, index in enumerate(orders[number % len(orders)])
        for timed in [calls[names[index]]()]
    )


def interleaved(
    named_calls: Mapping[str, Callable[[], object]],
    rounds: int,
    warmup: int = 3,
    settle_ms: float | None = SETTLE_MS,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> tuple[LatencySample, ...]:
    """Time calls of this process in interleaved rounds.

    `timed_calls` are of models that have a process of their own.

    Args:
        named_calls: at least one; each call is one unit of work.
        rounds: timed calls of each, at least 1.
        warmup: untimed calls of each before the first round.
        settle_ms: see `time_call`.
        clock: time in nanoseconds.

    Returns:
        The samples in the order they were taken.

    Raises:
        ValueError: nothing to call, or no rounds.
    """
    for call in named_calls.values():
        for _ in range(warmup):
            call()
    with _garbage_collector_paused():
        return take_rounds(
            {name: partial(time_call, call, settle_ms, clock) for name, call in named_calls.items()}, rounds
        )


@dataclass(frozen=True)
class Plan:
    """How a group of models is timed.

    Attributes:
        rounds: a multiple of the number of orders.
        settle_ms: see `time_call`.
        round_s: seconds that a round will take.
    """

    rounds: int
    settle_ms: float | None
    round_s: float


def plan_rounds(call_s: Sequence[float], most: int = ROUNDS[1]) -> Plan:
    """As many rounds as fit the time that the bench gives to them.

    Every order of the models is taken equally often. Slow models get fewer rounds (their times vary less), and are not
    settled: what the call before left behind is milliseconds.

    Args:
        call_s: how long one call of each takes, in seconds.
        most: rounds that are not exceeded where there is time for more, but to take every order equally often.
    """
    together_s = sum(call_s)
    slow = ROUNDS[0] * 2 * together_s > SLOW_S
    settle_s = 0.0 if slow else sum(max(SETTLE_MS / 1000, one) for one in call_s)
    round_s = together_s + settle_s
    least = SLOW_ROUNDS if slow else ROUNDS[0]
    wanted = min(max(TIMED_S / round_s, least), max(most, least))
    orders = len(round_orders(len(call_s)))
    return Plan(orders * math.ceil(wanted / orders), None if slow else SETTLE_MS, round_s)


def round_orders(count: int) -> tuple[tuple[int, ...], ...]:
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
