"""Names that runs, baselines and gates of earlier versions have, and what they are called now.

Readers translate them; nothing writes them.
"""

from collections.abc import Mapping

RENAMED_METRICS: Mapping[str, str] = {"harmful_flips": "negative_flips", "healing_flips": "positive_flips"}
RENAMED_COLUMNS: Mapping[str, str] = {"harmful_flips": "negative_flips"}


def current_metric(name: str) -> str:
    """The present name of a metric.

    Args:
        name: As a file has it; any text.

    Returns:
        The present name where the metric was renamed, else the name itself.
    """
    return RENAMED_METRICS.get(name, name)
