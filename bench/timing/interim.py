"""More rounds while a verdict is inconclusive: how many interim analyses there are, and the confidence of each.

Who computes a 95 % interval again and again, and stops when the result suits, is wrong in more than 5 % of cases. So
there are at most `INTERIM_ANALYSES`, fixed beforehand: after the first rounds, and then each time after as many again
as were done. Each has the confidence `INTERIM_CONFIDENCE` = 1 - 0.05 / INTERIM_ANALYSES (Bonferroni): the chance that
any of them misses the true ratio is at most 5 %, whenever one stops. Whether there is time for another analysis depends
on how long a round takes, not on the result. The price: intervals of a speed-up are 1.27 times as wide as those of a
single analysis. Medians and percentiles of a latency, which no gate judges, stay at 95 %.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from sealbench.bench.timing.rounds import LatencySample, Plan
from sealbench.reports.gates.judge import Gate, Verdict, judge
from sealbench.reports.schema.records import Case, Measurement, measurement
from sealbench.reports.statistics.intervals import CONFIDENCE
from sealbench.reports.statistics.latency import speedup

INTERIM_ANALYSES = 4
INTERIM_CONFIDENCE = 1 - (1 - CONFIDENCE) / INTERIM_ANALYSES
# The rounds that are added to a batch take at most this long.
BUDGET_S = 120.0


def measure_with_interim_analyses(
    measure: Callable[[int, int], Sequence[LatencySample]],
    plan: Plan,
    inconclusive: Callable[[Sequence[LatencySample]], bool],
    budget_s: float = BUDGET_S,
) -> tuple[LatencySample, ...]:
    """Measure, and add rounds while a verdict is inconclusive and there is time.

    Args:
        measure: takes how many rounds are done and how many to add.
        plan: the rounds before the first analysis; each other analysis doubles what is there.
        inconclusive: whether all samples so far leave a verdict inconclusive.
        budget_s: seconds for the rounds that are added.

    Returns:
        The samples of all rounds.
    """
    samples = [*measure(0, plan.rounds)]
    done = plan.rounds
    for _ in range(INTERIM_ANALYSES - 1):
        if (2 * done - plan.rounds) * plan.round_s > budget_s or not inconclusive(samples):
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
            found = speedup(samples, name, base, INTERIM_CONFIDENCE)
            rows.append(measurement(run_id, case, "", "none", metric, found.ratio, found.rounds, found.interval))
    return rows


def is_inconclusive(gates: Iterable[Gate], rows: Sequence[Measurement]) -> bool:
    """Whether more rounds may decide a gate on one of these rows."""
    return any(result.verdict is Verdict.INCONCLUSIVE for result in judge(gates, rows, ()))
