"""More rounds while a verdict is open: how often one may look, and how sure each look must be.

Who looks at a 95 % interval again and again, and stops when it suits, is wrong in more than 5 % of cases. So there are
at most `LOOKS` looks, fixed beforehand: after the first rounds, and then each time after as many again as were done.
Each is held to `LOOK_CONFIDENCE` = 1 - 0.05 / LOOKS (Bonferroni): the chance that any of them misses the true ratio is
at most 5 %, whenever one stops. Whether there is time for another look depends on how long a round takes, not on what
came out. The price: intervals of a speed-up are 1.27 times as wide as those of a single look. Medians and percentiles
of a latency, which no gate judges, stay at 95 %.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from sealbench.bench.timing.rounds import LatencySample, Plan
from sealbench.reports.gates.judge import Gate, Verdict, judge
from sealbench.reports.schema.records import Case, Measurement, measurement
from sealbench.reports.statistics.intervals import CONFIDENCE
from sealbench.reports.statistics.latency import speedup

LOOKS = 4
LOOK_CONFIDENCE = 1 - (1 - CONFIDENCE) / LOOKS
# The rounds that are added to a heat take at most this long.
BUDGET_S = 120.0


def measure_in_looks(
    measure: Callable[[int, int], Sequence[LatencySample]],
    plan: Plan,
    still_open: Callable[[Sequence[LatencySample]], bool],
    budget_s: float = BUDGET_S,
) -> tuple[LatencySample, ...]:
    """Measure, and go on while a verdict is open and there is time.

    Args:
        measure: takes how many rounds are done and how many to add.
        plan: the rounds of the first look; each other look doubles what is there.
        still_open: whether all samples so far leave a verdict open.
        budget_s: seconds for the rounds that are added.

    Returns:
        The samples of all looks.
    """
    samples = [*measure(0, plan.rounds)]
    done = plan.rounds
    for _ in range(LOOKS - 1):
        if (2 * done - plan.rounds) * plan.round_s > budget_s or not still_open(samples):
            break
        samples += measure(done, done)
        done *= 2
    return tuple(samples)


def speed_rows(
    run_id: str, samples: Sequence[LatencySample], bases: Mapping[Case, tuple[str, Mapping[str, str]]]
) -> list[Measurement]:
    """Speed-ups as they would be recorded.

    Args:
        run_id: of the run.
        samples: of all that is compared.
        bases: for each case its name in the samples, and by metric the name of what it is compared with.
    """
    rows = []
    for case, (name, metrics) in bases.items():
        for metric, base in metrics.items():
            found = speedup(samples, name, base, LOOK_CONFIDENCE)
            rows.append(measurement(run_id, case, "", "none", metric, found.ratio, found.rounds, found.interval))
    return rows


def is_open(gates: Iterable[Gate], rows: Sequence[Measurement]) -> bool:
    """Whether more rounds may decide a gate on one of these rows."""
    return any(result.verdict is Verdict.INCONCLUSIVE for result in judge(gates, rows, ()))
