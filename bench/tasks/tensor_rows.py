"""Outputs of any model as rows of samples/outputs.csv, and back.

Shapes: `sums` are (samples, outputs, len(OUTPUT_SUMS)).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sealbench.reports.schema.records import Case
from sealbench.reports.schema.tables import OUTPUT_SUMS, SAMPLE_CASE_COLUMNS


def output_rows(case: Case, dataset: str, ids: Sequence[str], sums: np.ndarray) -> list[tuple[object, ...]]:
    """Rows of samples/outputs.csv, one an output of a sample."""
    head, tail = (case.variant, case.precision, case.backend), (case.image_size, case.rewrites, case.preprocess)
    return [
        (*head, f"{dataset}/{name}", output, *row, *tail)
        for name, outputs in zip(ids, sums.tolist(), strict=True)
        for output, row in enumerate(outputs)
    ]


def recorded_sums(rows: pd.DataFrame, case: Case, dataset: str, ids: Sequence[str]) -> np.ndarray | None:
    """The sums, in a shape (samples, outputs, n), that an interrupted run has recorded of a case.

    Args:
        rows: what `sealbench.reports.run.samples.load_samples` gives of OUTPUTS.
        case: of the target.
        dataset: its name in tables.
        ids: of the inputs that it was run on.

    Returns:
        The sums to the last digit, or None if not all are there.
    """
    mine = rows
    for column in SAMPLE_CASE_COLUMNS:
        mine = mine[mine[column] == getattr(case, column)]
    names = [f"{dataset}/{name}" for name in ids]
    mine = mine[mine["sample"].isin(names)]
    outputs = mine["output"].max() + 1 if len(mine) else 1
    if list(mine["sample"]) != [name for name in names for _ in range(outputs)]:
        return None
    return mine[list(OUTPUT_SUMS)].to_numpy(np.float64).reshape(len(names), outputs, len(OUTPUT_SUMS))
