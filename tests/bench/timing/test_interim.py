"""Rounds are added only while a verdict is open, and never beyond the looks and the time there are."""

import pytest

from sealbench.bench.timing.interim import (
    INTERIM_ANALYSES,
    INTERIM_CONFIDENCE,
    is_inconclusive,
    measure_with_interim_analyses,
    speed_rows,
)
from sealbench.bench.timing.rounds import ROUNDS, SETTLE_MS, SLOW_ROUNDS, LatencySample, Plan, plan_rounds, round_orders
from sealbench.reports.gates.judge import Gate
from sealbench.reports.schema.records import Case, measurement
from sealbench.reports.statistics.intervals import CONFIDENCE

CASE = Case("videoseal_nano", "bundled", "int8", "256", "simple", "litert", 2)
PLAN = Plan(rounds=20, settle_ms=20, round_s=0.1)


class Rounds:
    """Counts the rounds that are asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def __call__(self, done: int, rounds: int) -> list[LatencySample]:
        self.asked.append((done, rounds))
        return [LatencySample("a", number, 0, 1.0) for number in range(done, done + rounds)]


def test_a_decided_verdict_takes_the_first_rounds_alone() -> None:
    rounds = Rounds()
    assert len(measure_with_interim_analyses(rounds, PLAN, lambda samples: False)) == 20
    assert rounds.asked == [(0, 20)]


def test_an_open_verdict_takes_four_looks_at_most() -> None:
    rounds, seen = Rounds(), []

    def inconclusive(samples: object) -> bool:
        seen.append(len(samples))  # type: ignore[arg-type]
        return True

    samples = measure_with_interim_analyses(rounds, PLAN, inconclusive)
    assert rounds.asked == [(0, 20), (20, 20), (40, 40), (80, 80)]
    assert [sample.round for sample in samples] == list(range(160))
    assert len(rounds.asked) == INTERIM_ANALYSES
    assert seen == [20, 40, 80]  # what comes out of the last look changes nothing


def test_rounds_stop_when_the_verdict_is_decided() -> None:
    rounds = Rounds()
    measure_with_interim_analyses(rounds, PLAN, lambda samples: len(samples) < 40)
    assert rounds.asked == [(0, 20), (20, 20)]


@pytest.mark.parametrize(("budget_s", "looks"), [(1.9, 1), (2.0, 2), (5.9, 2), (6.0, 3)])
def test_added_rounds_keep_to_the_budget(budget_s: float, looks: int) -> None:
    rounds = Rounds()
    measure_with_interim_analyses(rounds, PLAN, lambda samples: True, budget_s)
    assert len(rounds.asked) == looks


def test_the_looks_together_are_as_sure_as_one_would_be() -> None:
    total = INTERIM_ANALYSES * (1 - INTERIM_CONFIDENCE)
    assert total == pytest.approx(1 - CONFIDENCE)


def gate(limit: float) -> Gate:
    return Gate("speedup_vs_float32", {"precision": "int8"}, ">=", limit, "planted", "interval")


def test_a_gate_on_a_speed_up_is_inconclusive_while_the_interval_is_across_its_limit() -> None:
    times = {"int8": (10.0, 11.0), "float32": (14.0, 16.0)}
    samples = [
        LatencySample(name, number, 0, ends[(number * 7 + len(name)) % 3 % 2])
        for name, ends in times.items()
        for number in range(20)
    ]
    (row,) = speed_rows("run", samples, {CASE: ("int8", {"speedup_vs_float32": "float32"})})
    assert row.case == CASE
    assert row.n == 20
    assert row.ci_low is not None
    assert row.ci_high is not None
    assert 1.2 < row.ci_low < row.ci_high < 1.7
    assert is_inconclusive([gate((row.ci_low + row.ci_high) / 2)], [row])
    assert not is_inconclusive([gate(1.2), gate(1.7)], [row])  # passed, and failed: both decided
    other = measurement("run", CASE, "", "none", "speedup_vs_torch", 1.0, 20, (0.1, 10.0))
    assert not is_inconclusive([gate(1.2)], [other])  # no gate asks for it


def test_fast_models_get_as_many_rounds_as_fit_and_every_order_equally_often() -> None:
    plan = plan_rounds([0.05, 0.05])
    assert plan.settle_ms == SETTLE_MS
    assert plan.round_s == pytest.approx(0.2)  # one call of each to settle, one to time
    assert plan.rounds == 40  # 8 s
    assert plan_rounds([0.001, 0.001]).round_s == pytest.approx(0.042)  # settling takes 20 ms
    assert plan_rounds([0.0001] * 2).rounds == ROUNDS[1]
    assert plan_rounds([0.0001] * 2, most=ROUNDS[0]).rounds == ROUNDS[0]
    assert plan_rounds([0.2] * 3).rounds == 24  # at least 20, in six orders
    assert plan_rounds([0.2] * 3).rounds % len(round_orders(3)) == 0


def test_slow_models_get_few_rounds_and_are_not_settled() -> None:
    plan = plan_rounds([2.0, 2.0])
    assert (plan.rounds, plan.settle_ms, plan.round_s) == (SLOW_ROUNDS, None, 4.0)
