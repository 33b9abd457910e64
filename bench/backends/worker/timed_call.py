"""Times one call, in the process that makes it. Imports nothing else of sealbench."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_NS_PER_MS = 1e6
_NS_PER_S = 1e9
WARM_UP_CALLS, WARM_UP_S = 3, 1


@dataclass(frozen=True)
class TimedCall:
    """One timed call, as its process measured it.

    Attributes:
        latency_ms: wall-clock time of the timed call in milliseconds.
        waited_ms: how long the threads of the process, all together, were ready to run and had no processor meanwhile,
            but no longer than the threads that did run left processors free for others: threads that are more than the
            processors wait for each other, and that is the model's own. NaN where the system does not report it.
    """

    latency_ms: float
    waited_ms: float = math.nan


class ProcessorTime(NamedTuple):
    """What the threads of a process have had of the processors so far, all together, in milliseconds.

    Attributes:
        ran_ms: on a processor.
        waited_ms: ready to run and without one.
    """

    ran_ms: float
    waited_ms: float


UNKNOWN = ProcessorTime(math.nan, math.nan)


def time_call(
    call: Callable[[], object],
    settle_ms: float | None,
    clock: Callable[[], int] = time.perf_counter_ns,
    processor_time: Callable[[], ProcessorTime] = lambda: UNKNOWN,
    processors: int = 1,
) -> TimedCall:
    """Untimed calls to settle, then a timed one.

    Settling undoes what the call of another model left behind: cold caches, and threads of PyTorch's pool that keep
    spinning for some milliseconds after their work and on two cores made an int8 detector 40 % slower when it came
    right after PyTorch, but not on one thread, nor after a pause.

    Args:
        call: one unit of work.
        settle_ms: untimed calls, at least one, until so much time has passed; None for none.
        clock: time in nanoseconds.
        processor_time: see `processor_time`, where all threads of the process belong to the call.
        processors: that the process may use.

    Returns:
        The time of the timed call, and how long it waited for a processor.
    """
    began = clock()
    if settle_ms is not None:
        call()
        while clock() - began < settle_ms * _NS_PER_MS:
            call()
    before = processor_time()
    start = clock()
    call()
    stop = clock()
    after = processor_time()
    latency_ms = (stop - start) / _NS_PER_MS
    left_ms = max(0.0, processors * latency_ms - (after.ran_ms - before.ran_ms))
    return TimedCall(latency_ms, min(after.waited_ms - before.waited_ms, left_ms))


def processor_time(threads: Path = Path("/proc/self/task")) -> ProcessorTime:
    """What the threads of this process have had of the processors so far.

    Linux reports it in the first two numbers of `schedstat`, in nanoseconds
    (https://docs.kernel.org/scheduler/sched-stats.html).

    Args:
        threads: folder with one folder for each thread.

    Returns:
        The sums over the threads; `UNKNOWN` where the system does not report it.
    """
    try:
        numbers = [(thread / "schedstat").read_text().split() for thread in threads.iterdir()]
        return ProcessorTime(
            sum(int(ran) for ran, *_ in numbers) / _NS_PER_MS,
            sum(int(waited) for _, waited, *_ in numbers) / _NS_PER_MS,
        )
    except (OSError, ValueError):  # another system, or a thread that has just ended
        return UNKNOWN


def warm_up(call: Callable[[], object], clock: Callable[[], int] = time.perf_counter_ns) -> float:
    """Call until it is warm; how long the last call took, in seconds."""
    began = clock()
    for _ in range(WARM_UP_CALLS):
        start = clock()
        call()
        if clock() - began > WARM_UP_S * _NS_PER_S:
            break
    return (clock() - start) / _NS_PER_S


def slowed(
    call: Callable[[], object], share: float, clock: Callable[[], int] = time.perf_counter_ns
) -> Callable[[], None]:
    """The call, and after it a busy wait of `share` of the time it took: a slow-down to be found."""

    def slow() -> None:
        start = clock()
        call()
        stop = clock()
        until = stop + share * (stop - start)
        while clock() < until:
            pass

    return slow
