"""The verdict of all gates together on each case. Cheap to import."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sealbench.reports.gates.judge import GateResult, Verdict
from sealbench.reports.schema.records import UNATTACKED, Case

_WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS, Verdict.NOT_APPLICABLE)


@dataclass(frozen=True)
class Standing:
    """The sum of the verdicts on one case.

    Attributes:
        verdict: The worst of them.
        counts: How many there are of each that occurs.
        failed: Metrics whose gate failed, each once.
        reasons: A sentence for each gate that failed, or where none did, for each that is inconclusive.
    """

    verdict: Verdict
    counts: Mapping[Verdict, int] = field(hash=False)
    failed: tuple[str, ...]
    reasons: tuple[str, ...]


def worst_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """Sum verdicts up.

    Args:
        verdicts: Any number of them.

    Returns:
        FAIL before INCONCLUSIVE before PASS; NOT_APPLICABLE only when there is nothing else.
    """
    present = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in present), Verdict.NOT_APPLICABLE)


def standings(results: Iterable[GateResult]) -> dict[Case, Standing]:
    """Sum up the verdicts of each case.

    Args:
        results: What `judge` gives.

    Returns:
        By case, in the order of the results; results that concern no case are left out.
    """
    by_case: dict[Case, list[GateResult]] = {}
    for result in results:
        if result.case is not None:
            by_case.setdefault(result.case, []).append(result)
    return {case: _standing(own) for case, own in by_case.items()}


def _standing(results: list[GateResult]) -> Standing:
    worst = worst_verdict(result.verdict for result in results)
    of_worst = [result for result in results if result.verdict is worst]
    reported = of_worst if worst in {Verdict.FAIL, Verdict.INCONCLUSIVE} else []
    return Standing(
        worst,
        Counter(result.verdict for result in results),
        tuple(dict.fromkeys(result.gate.metric for result in results if result.verdict is Verdict.FAIL)),
        tuple(dict.fromkeys(_reason(result) for result in reported)),
    )


def _reason(result: GateResult) -> str:
    attack = f" under {result.attack}" if result.attack not in UNATTACKED else ""
    return f"{result.gate.metric}{attack}: {result.explanation}"
