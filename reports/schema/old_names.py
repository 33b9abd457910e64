"""What runs, baselines and gates of earlier versions have otherwise: other names, and columns that were not there yet.

Readers translate it; nothing writes it.
"""

from collections.abc import Mapping

from sealbench.reports.schema.records import UPSTREAM

RENAMED_METRICS: Mapping[str, str] = {"harmful_flips": "negative_flips", "healing_flips": "positive_flips"}
RENAMED_COLUMNS: Mapping[str, str] = {"harmful_flips": "negative_flips"}
LATER_COLUMNS: Mapping[str, str] = {"preprocess": UPSTREAM}
"""Columns that a table of an earlier version has not, with the cell that its rows are read with."""


def current_metric(name: str) -> str:
    """The present name of a metric.

    Args:
        name: As a file has it; any text.

    Returns:
        The present name where the metric was renamed, else the name itself.
    """
    return RENAMED_METRICS.get(name, name)
