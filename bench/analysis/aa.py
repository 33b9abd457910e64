"""`sealbench aa`: one file compared with itself, again and again, and with a copy that was slowed down.

What differs between two processes that run the same file is noise: how much there is of it, how often it would be taken
for a slow-down, and how small a slow-down is still found, by the rule of `sealbench.reports.gates.slowdown` and the
interim analyses of `sealbench.bench.timing.interim`. Each comparison starts two fresh processes, as a suite does, and
begins with the fewest rounds that a suite takes.
"""

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sealbench.bench.backends.registry import DEFAULT_BACKEND
from sealbench.bench.backends.worker.session import WorkerSession, file_request
from sealbench.bench.session.progress import duration_text
from sealbench.bench.timing.interim import INTERIM_CONFIDENCE, measure_with_interim_analyses
from sealbench.bench.timing.rounds import ROUNDS, LatencySample, Timed, plan_rounds, take_rounds, timed_calls
from sealbench.converters.cards.card import Card
from sealbench.converters.export.precisions import Precision
from sealbench.converters.families import family_of
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.rewrites import choose_rewrites
from sealbench.converters.store import ArtifactSpec, ArtifactStore
from sealbench.reports.files import csv_text
from sealbench.reports.gates.judge import Verdict
from sealbench.reports.gates.slowdown import MARGIN, judge_slowdown
from sealbench.reports.statistics.latency import speedup

FOUND_AT_LEAST = 0.95
BASE, COMPARED = "base", "compared"


@dataclass(frozen=True)
class Comparison:
    """One comparison of two processes with the same file.

    Attributes:
        slowdown: share of its time that the second was made slower by; 0 in an A/A comparison.
        ratio: median time of the second / that of the first.
        low, high: its interval.
        rounds: that were taken.
        verdict: by the rule for slow-downs.
    """

    slowdown: float
    ratio: float
    low: float
    high: float
    rounds: int
    verdict: Verdict


def compare(path: Path, threads: int, slowdown: float) -> Comparison:
    """Start two processes with a file, time them in interleaved rounds while the verdict is inconclusive, and end them.

    Args:
        path: of the `.tflite` file.
        threads: of both.
        slowdown: share of each call's time that the second waits after it.

    Raises:
        RunnerError: the file cannot be run.
    """
    with ExitStack() as stack:
        requests = {
            BASE: file_request(DEFAULT_BACKEND, path, threads),
            COMPARED: file_request(DEFAULT_BACKEND, path, threads, slowdown),
        }
        sessions = {name: stack.enter_context(WorkerSession(request)) for name, request in requests.items()}
        models = {name: Timed(session, session.put_random()) for name, session in sessions.items()}
        plan = plan_rounds([one.session.warm_up(one.picture).call_s for one in models.values()], most=ROUNDS[0])
        calls = timed_calls(models, plan.settle_ms)
        samples = measure_with_interim_analyses(
            lambda done, rounds: take_rounds(calls, rounds, done),
            plan,
            lambda samples: judged(samples, slowdown).verdict is Verdict.INCONCLUSIVE,
        )
    return judged(samples, slowdown)


def judged(samples: Sequence[LatencySample], slowdown: float) -> Comparison:
    """What rounds of `BASE` and `COMPARED` say; `slowdown` is the share of its time that `COMPARED` waits beside."""
    found = speedup(samples, name=BASE, base=COMPARED, confidence=INTERIM_CONFIDENCE)
    low, high = found.interval or (-np.inf, np.inf)
    return Comparison(slowdown, found.ratio, low, high, found.rounds, judge_slowdown(low, high))


def smallest_found(comparisons: Sequence[Comparison], share: float = FOUND_AT_LEAST) -> float:
    """The smallest slow-down that would be found in a share of comparisons with as many rounds as these took.

    A slow-down by d multiplies the ratio and both ends of its interval by 1 + d.

    Args:
        comparisons: of a file with itself; at least one.
        share: in (0, 1).

    Returns:
        A share of the time; infinite where too many of the comparisons found no interval.
    """
    lows = np.maximum([comparison.low for comparison in comparisons], 0)  # 0 where there was no interval
    low = float(np.quantile(lows, 1 - share))
    return (1 + MARGIN) / low - 1 if low else math.inf


def noise_floor(comparisons: Sequence[Comparison], share: float = 0.95) -> float:
    """The difference from 1 that a share of the ratios stays within."""
    return float(np.quantile([abs(comparison.ratio - 1) for comparison in comparisons], share))


def report(same: Sequence[Comparison], slowed: Sequence[Comparison]) -> tuple[list[str], bool]:
    """Lines for people, and whether all is well.

    It is where no file is slower than itself and not all comparisons are inconclusive, and where the slow-down is found
    often enough and never passed.
    """
    lines, well = [], True
    if same:
        ratios = [comparison.ratio for comparison in same]
        false = sum(comparison.verdict is Verdict.FAIL for comparison in same)
        well = false == 0 and any(comparison.verdict is Verdict.PASS for comparison in same)
        lines += [
            f"A/A: {len(same)} comparisons of the file with itself: {_counted(same)}",
            f"  false FAIL: {false}",
            f"  noise floor: 95 % of the ratios within {100 * noise_floor(same):.1f} % of 1, "
            f"all between {min(ratios):.3f} and {max(ratios):.3f}",
            f"  smallest slow-down that is found in {FOUND_AT_LEAST:.0%} of comparisons without added rounds: "
            f"{100 * smallest_found(same):.1f} %",
        ]
    if slowed:
        found = sum(comparison.verdict is Verdict.FAIL for comparison in slowed)
        passed = sum(comparison.verdict is Verdict.PASS for comparison in slowed)
        well = well and passed == 0 and found >= FOUND_AT_LEAST * len(slowed)
        lines += [
            f"planted {100 * slowed[0].slowdown:g} %: {len(slowed)} trials: {_counted(slowed)}",
            f"  found: {found}, called PASS: {passed}",
        ]
    return lines, well


def _counted(comparisons: Sequence[Comparison]) -> str:
    verdicts = Counter(str(comparison.verdict) for comparison in comparisons)
    rounds = Counter(comparison.rounds for comparison in comparisons)
    taken = ", ".join(f"{count} took {number}" for number, count in sorted(rounds.items()))
    return f"{', '.join(f'{count} {name}' for name, count in verdicts.items())} (rounds: {taken})"


def _several(compare_once: Callable[[], Comparison], count: int, what: str, out: Path | None) -> list[Comparison]:
    """As many comparisons, each written to `out` at once, with a line now and then on how far it is."""
    began = time.perf_counter()
    comparisons = []
    for number in range(1, count + 1):
        comparisons.append(compare_once())
        if out is not None:
            append_csv(comparisons[-1], out)
        if number % max(1, count // 10) == 0 and number < count:
            rest = (time.perf_counter() - began) / number * (count - number)
            print(f"{what}: {number} of {count}, about {duration_text(rest)} to go", file=sys.stderr)
    return comparisons


def find_file(card: Card, precision: Precision, weights: str | None = None) -> Path:
    """The converted file of a variant, as the main job would measure it.

    Raises:
        ConverterError: there is no such source of weights, or the file cannot be made.
    """
    family, found = family_of(card), find_weights(card, weights)
    rewrites = choose_rewrites("auto", card)
    spec = ArtifactSpec(card, found, precision, family.default_size(card), rewrites=rewrites)
    return ArtifactStore().get(spec, family.model(card, found)).path


def append_csv(comparison: Comparison, path: Path) -> None:
    """Add a row to a file, and its heading before the first."""
    begins = not path.exists() or path.stat().st_size == 0
    with path.open("a", encoding="utf-8", newline="") as file:
        row = asdict(comparison)
        file.write(csv_text([row, row.values()] if begins else [row.values()]))


def run(path: Path, threads: int, comparisons: int, trials: int, slowdown: float, out: Path | None) -> int:
    """Compare a file with itself and with a slowed copy, and print what came out.

    Args:
        path: of the `.tflite` file.
        threads: of both processes.
        comparisons: of the file with itself.
        trials: with the slow-down.
        slowdown: share of each call's time that is planted.
        out: CSV file to which every comparison is added, or None.

    Returns:
        0, or 1 where not all is well; see `report`.
    """
    same = _several(lambda: compare(path, threads, 0.0), comparisons, "A/A", out)
    slowed = _several(lambda: compare(path, threads, slowdown), trials, "planted", out)
    lines, well = report(same, slowed)
    print(f"{path.name}, {threads} threads; slower is: the interval of the ratio above {1 + MARGIN:g}")
    print("\n".join(lines))
    return 0 if well else 1
