"""Time is simulated: no test here depends on how fast the machine is."""

import gc
import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sealbench.bench.backends.worker.timed_call import UNKNOWN, ProcessorTime, processor_time, time_call
from sealbench.bench.timing.rounds import LatencySample, interleaved, round_orders
from sealbench.reports.statistics.latency import speedup, summarize


@pytest.fixture(autouse=True, scope="module")
def frozen_heap() -> Iterator[None]:
    """`interleaved` collects garbage first; what is on the heap of a whole test session takes it half a second."""
    gc.freeze()
    yield
    gc.unfreeze()


class Machine:
    """A clock that only work moves, and a diary of who worked."""

    def __init__(self) -> None:
        self.now = 0
        self.calls: list[str] = []

    def clock(self) -> int:
        return self.now

    def work(self, name: str, duration_ns: Callable[[int], float]) -> Callable[[], None]:
        """A call that takes `duration_ns` of its own number."""

        def call() -> None:
            self.now += round(duration_ns(self.calls.count(name)))
            self.calls.append(name)

        return call


def constant(duration_ns: float) -> Callable[[int], float]:
    return lambda number: duration_ns


def test_latency_is_the_time_of_the_second_of_two_calls() -> None:
    machine = Machine()
    # Odd calls take 1 ms, even ones 5 ms; two warm-up calls, then an untimed (even) and a timed (odd) call a round.
    calls = {"a": machine.work("a", lambda number: 5e6 if number % 2 == 0 else 1e6)}
    samples = interleaved(calls, rounds=3, warmup=2, settle_ms=0, clock=machine.clock)
    assert [sample.latency_ms for sample in samples] == [1.0, 1.0, 1.0]
    assert machine.calls == ["a"] * (2 + 2 * 3)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_orders_balance_positions_and_neighbours(count: int) -> None:
    orders = round_orders(count)
    assert all(sorted(order) == list(range(count)) for order in orders)
    positions = Counter((index, position) for order in orders for position, index in enumerate(order))
    neighbours = Counter(pair for order in orders for pair in pairwise(order))
    assert len(positions) == count**2
    assert len(set(positions.values())) == 1
    assert len(neighbours) == count * (count - 1)
    assert len(set(neighbours.values())) <= 1


def test_rounds_follow_the_orders() -> None:
    machine = Machine()
    calls = {name: machine.work(name, constant(1e6)) for name in "abc"}
    samples = interleaved(calls, rounds=12, warmup=1, settle_ms=0, clock=machine.clock)
    assert machine.calls[:3] == ["a", "b", "c"]  # warm-up
    assert len(machine.calls) == 3 + 2 * 36
    for number in range(12):
        of_round = [sample for sample in samples if sample.round == number]
        assert [sample.position for sample in of_round] == [0, 1, 2]
        assert sorted(sample.name for sample in of_round) == ["a", "b", "c"]
    assert Counter(sample.name for sample in samples if sample.position == 0) == {"a": 4, "b": 4, "c": 4}


def test_a_disturbance_that_outlasts_a_call_meets_only_untimed_calls() -> None:
    machine = Machine()

    def light() -> None:  # three times as slow right after the heavy one, as with threads that still spin
        machine.now += 3_000_000 if machine.calls[-1:] == ["heavy"] else 1_000_000
        machine.calls.append("light")

    calls = {"heavy": machine.work("heavy", constant(9e6)), "light": light}
    samples = interleaved(calls, rounds=4, warmup=1, settle_ms=0, clock=machine.clock)
    assert {sample.latency_ms for sample in samples if sample.name == "light"} == {1.0}


def samples_of(disturbed: int, unknown: int = 0) -> list[LatencySample]:
    """20 rounds of two that take 4 ms; in so many turns they waited 1 ms, and of so many that is not known."""
    waits = [1.0] * disturbed + [math.nan] * unknown
    waits += [0.1] * (40 - len(waits))  # every thread waits a little when it is woken
    return [LatencySample("ab"[place % 2], place // 2, 0, 4.0, waits[place]) for place in range(40)]


@pytest.mark.parametrize(
    ("disturbed", "unknown", "busy"),
    [(0, 0, False), (10, 0, False), (11, 0, True), (40, 0, True), (0, 40, False), (6, 20, True), (5, 20, False)],
)
def test_a_ratio_from_a_busy_machine_has_no_interval(disturbed: int, unknown: int, busy: bool) -> None:
    samples = samples_of(disturbed, unknown)
    found = speedup(samples, name="a", base="b")
    assert found.ratio == 1
    assert (found.interval is None) is busy
    others = [LatencySample("c", number, 0, 4.0, 4.0) for number in range(40)]
    assert (speedup([*samples, *others], name="a", base="b").interval is None) is busy  # of those two alone


@pytest.mark.parametrize("busy", [True, False])
def test_only_rounds_that_are_compared_make_a_ratio_busy(busy: bool) -> None:
    """PyTorch is also in the batches of other files: what disturbed those did not disturb this file's."""
    ours = [LatencySample(name, number, 0, 4.0, 4.0 * busy) for number in range(10) for name in "ab"]
    others = [LatencySample("b", number, 0, 4.0, 4.0 * (not busy)) for number in range(10, 60)]
    assert (speedup([*ours, *others], name="a", base="b").interval is None) is busy


def test_running_and_waiting_are_summed_over_the_threads(tmp_path: Path) -> None:
    for name, text in (("1", "9000000 2500000 7"), ("2", "9000000 500000 7")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "schedstat").write_text(text)
    assert processor_time(tmp_path) == ProcessorTime(18.0, 3.0)
    (tmp_path / "3").mkdir()
    assert processor_time(tmp_path) is UNKNOWN
    assert processor_time(tmp_path / "missing") is UNKNOWN


@pytest.mark.parametrize(
    ("ran_ms", "waited_ms", "found"),
    [
        (4.0, 0.75, 0.75),  # 8 ms on two processors, of which others may have had 4
        (7.9, 2.0, 0.1),  # three threads on two processors: they waited for each other
        (8.2, 2.0, 0.0),  # the system counts in steps
    ],
)
def test_threads_that_wait_for_each_other_are_not_disturbed(ran_ms: float, waited_ms: float, found: float) -> None:
    times = iter((ProcessorTime(100.0, 5.0), ProcessorTime(100.0 + ran_ms, 5.0 + waited_ms)))
    clock = iter((0, 10_000_000, 14_000_000)).__next__
    turn = time_call(lambda: None, None, clock, lambda: next(times), processors=2)
    assert turn.latency_ms == 4.0
    assert turn.waited_ms == pytest.approx(found)
    assert math.isnan(time_call(lambda: None, None).waited_ms)


def test_a_call_that_is_twice_as_slow_is_seen() -> None:
    machine = Machine()
    rng = np.random.default_rng(0)
    noise = rng.lognormal(0, 0.1, (2, 200))
    load = lambda number: 3.0 if number > 30 else 1.0  # noqa: E731 - the machine becomes slow half way, for both
    calls = {
        "fast": machine.work("fast", lambda number: 1e6 * noise[0, number] * load(number)),
        "slow": machine.work("slow", lambda number: 2e6 * noise[1, number] * load(number)),
    }
    samples = interleaved(calls, rounds=30, warmup=2, settle_ms=0, clock=machine.clock)
    found = speedup(samples, name="fast", base="slow")
    assert found.rounds == 30
    assert found.interval is not None
    assert 1.5 < found.interval.low < 2.0 < found.interval.high < 2.7
    assert found.interval.low < found.ratio < found.interval.high
    back = speedup(samples, name="slow", base="fast")
    assert back.ratio == pytest.approx(1 / found.ratio)
    assert back.interval is not None
    assert back.interval.high < 1


def test_a_turn_settles_for_as_long_as_it_is_told() -> None:
    machine = Machine()
    calls = {"short": machine.work("short", constant(3e6)), "long": machine.work("long", constant(50e6))}
    interleaved(calls, rounds=2, warmup=0, settle_ms=10, clock=machine.clock)
    assert machine.calls.count("short") == 2 * (4 + 1)  # 4 x 3 ms untimed, then the timed one
    assert machine.calls.count("long") == 2 * (1 + 1)


def test_equal_calls_are_not_told_apart() -> None:
    machine = Machine()
    noise = np.random.default_rng(1).lognormal(0, 0.1, (2, 200))
    calls = {
        "a": machine.work("a", lambda number: 1e6 * noise[0, number]),
        "b": machine.work("b", lambda number: 1e6 * noise[1, number]),
    }
    found = speedup(interleaved(calls, rounds=40, warmup=0, settle_ms=0, clock=machine.clock), name="a", base="b")
    assert found.interval is not None
    assert found.interval.low < 1 < found.interval.high


def test_percentiles_with_their_intervals() -> None:
    samples = [LatencySample("a", number, 0, number + 1.0) for number in range(30)]  # 1 .. 30 ms
    summary = summarize(samples)["a"]
    assert summary.rounds == 30
    assert summary.median_ms == 15.5
    assert summary.p90_ms == pytest.approx(1 + 0.9 * 29)
    assert summary.p99_ms == pytest.approx(1 + 0.99 * 29)
    assert summary.median_interval == (10.0, 21.0)
    assert summary.p99_interval.high == float("inf")  # 30 rounds cannot bound it


def test_only_rounds_with_both_are_compared() -> None:
    samples = [
        LatencySample("a", 0, 0, 1.0),
        LatencySample("b", 0, 1, 4.0),
        LatencySample("a", 1, 0, 100.0),
    ]
    found = speedup(samples, name="a", base="b")
    assert (found.ratio, found.interval, found.rounds) == (4.0, None, 1)
    with pytest.raises(ValueError, match="both a and c"):
        speedup(samples, name="a", base="c")


def test_garbage_is_not_collected_meanwhile_and_the_setting_is_put_back() -> None:
    seen = []

    def fails() -> None:
        seen.append(gc.isenabled())
        if len(seen) == 2:
            raise RuntimeError("planted")

    assert gc.isenabled()
    with pytest.raises(RuntimeError, match="planted"):
        interleaved({"a": fails}, rounds=1, warmup=0)
    assert seen == [False, False]
    assert gc.isenabled()


def test_nothing_to_measure_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 calls"):
        interleaved({}, rounds=1)
    with pytest.raises(ValueError, match="0 rounds"):
        interleaved({"a": lambda: None}, rounds=0)
