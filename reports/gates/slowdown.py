"""When is something slower than before? One rule, for two files of one run and for a run and its baseline.

Cheap to import: plain Python only.
"""

import math

from sealbench.reports.gates.judge import Verdict

MARGIN = 0.05
"""Share of a latency by which it may grow: half of the 10 % that must be found, so that noise has as much room on the
side of a false FAIL as on that of a false PASS. Measured in docs/latency.md."""


def judge_slowdown(low: float, high: float, margin: float = MARGIN) -> Verdict:
    """Judge a time by its ratio to the time that it is compared with.

    Args:
        low, high: Interval of the ratio new time / old time; above 1 is slower. NaN where it is unknown.
        margin: What the ratio may exceed 1 by; at least 0.

    Returns:
        PASS (not inferior) when the whole interval is at most 1 + margin, FAIL when all of it is above, and
        INCONCLUSIVE between. NaN never passes: it is INCONCLUSIVE.
    """
    if math.isnan(low) or math.isnan(high):
        return Verdict.INCONCLUSIVE
    if high <= 1 + margin:
        return Verdict.PASS
    return Verdict.FAIL if low > 1 + margin else Verdict.INCONCLUSIVE
