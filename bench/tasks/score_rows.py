"""Outputs of a target as rows of samples/scores.csv, and back."""

import numpy as np
import pandas as pd

from sealbench.bench.tasks.frame_set import FrameLabels, Outputs
from sealbench.reports.schema.records import Case
from sealbench.reports.schema.tables import SAMPLE_CASE_COLUMNS, SCORE_SUMS


def score_rows(case: Case, frames: FrameLabels, outputs: Outputs) -> list[tuple[object, ...]]:
    """Rows of samples/scores.csv, one a frame."""
    head, tail = (case.variant, case.precision, case.backend), (case.image_size, case.rewrites, case.preprocess)
    return [
        (*head, attack, f"{frames.name}/{name}", score, reference, *sums, *tail)
        for attack, name, score, reference, sums in zip(
            frames.attacks,
            frames.ids,
            outputs.scores.tolist(),
            outputs.reference_scores.tolist(),
            outputs.sums.tolist(),
            strict=True,
        )
    ]


def recorded_outputs(samples: pd.DataFrame, case: Case, frames: FrameLabels) -> Outputs | None:
    """The outputs that an interrupted run has recorded of a case, to the last digit, or None if not all are there.

    Args:
        samples: what `sealbench.reports.run.samples.load_samples` gives of SCORES.
        case: of the target.
        frames: that it was run on.
    """
    mine = samples
    for column in SAMPLE_CASE_COLUMNS:
        mine = mine[mine[column] == getattr(case, column)]
    names = [f"{frames.name}/{name}" for name in frames.ids]
    mine = mine[mine["sample"].isin(names)]
    if list(mine["sample"]) != names:
        return None
    scores, reference = (mine[name].to_numpy(np.float64) for name in ("score", "reference_score"))
    return Outputs(scores, reference, mine[list(SCORE_SUMS)].to_numpy(np.float64))
