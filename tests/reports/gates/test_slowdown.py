import math

import pytest

from sealbench.reports.gates.judge import Verdict
from sealbench.reports.gates.slowdown import MARGIN, judge_slowdown


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.98, 1.02, Verdict.PASS),
        (0.5, 1 + MARGIN, Verdict.PASS),
        (1.01, 1.04, Verdict.PASS),  # slower, but by less than counts
        (1.02, 1.08, Verdict.INCONCLUSIVE),
        (1.06, 1.14, Verdict.FAIL),
        (0.5, math.inf, Verdict.INCONCLUSIVE),
        (math.inf, math.inf, Verdict.FAIL),
        (math.nan, 1.0, Verdict.INCONCLUSIVE),
        (1.2, math.nan, Verdict.INCONCLUSIVE),
    ],
)
def test_slower_is_an_interval_that_is_all_above_the_margin(low: float, high: float, verdict: Verdict) -> None:
    assert judge_slowdown(low, high) is verdict


def test_the_margin_can_be_chosen() -> None:
    assert judge_slowdown(1.02, 1.08, margin=0.1) is Verdict.PASS
    assert judge_slowdown(1.02, 1.08, margin=0.01) is Verdict.FAIL
