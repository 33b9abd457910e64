"""Where the error of a file's logits comes from: terms that add up, logit by logit."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

TOTAL = "total"


@dataclass(frozen=True)
class Term:
    """What one step between two ways to compute the logits changes.

    Attributes:
        term: its name, or `total` for all steps together.
        rms: root mean square of the difference over all logits.
        mae: mean absolute difference.
        share_pct: 100 * mean(term * total) / mean(total * total), its part of the mean square of the total; these add
            up to 100. Below 0 for a step that removes more than it adds. NaN where the total is nothing.
    """

    term: str
    rms: float
    mae: float
    share_pct: float


def differences(stages: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What each stage changes compared with the one before, and `total` for the last compared with the first.

    Every term is float64 and the total is their sum, so that they add up for each logit.

    Args:
        stages: logits (n, nbits) of two stages or more; each but the first is named after what it changes.

    Raises:
        ValueError: the shapes differ, or there are fewer than two stages.
    """
    shapes = {logits.shape for logits in stages.values()}
    if len(stages) < 2 or len(shapes) != 1:
        raise ValueError(f"found {len(stages)} stages of shapes {shapes}; expected two or more of one shape")
    values = [np.asarray(logits, np.float64) for logits in stages.values()]
    with np.errstate(invalid="ignore"):
        terms = {name: after - before for name, (before, after) in zip(list(stages)[1:], pairwise(values), strict=True)}
        return {**terms, TOTAL: sum(terms.values(), start=np.zeros_like(values[0]))}


def error_terms(stages: Mapping[str, np.ndarray]) -> list[Term]:
    """Size and share of each of the `differences`, the total last; NaN where a logit is NaN.

    Args:
        stages: see `differences`.

    Raises:
        ValueError: as `differences`.
    """
    found = differences(stages)
    total = found[TOTAL]
    square = float(np.square(total).mean())
    return [
        Term(
            term=name,
            rms=float(np.sqrt(np.square(values).mean())),
            mae=float(np.abs(values).mean()),
            share_pct=100 * float((values * total).mean()) / square if square else math.nan,
        )
        for name, values in found.items()
    ]
