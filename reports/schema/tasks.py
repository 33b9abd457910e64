"""What the tables show of a model by its task: which metrics are its headlines, and in which words.

Cheap to import: plain Python only. Adding a task is adding one entry here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TaskReport:
    """How models of one task are shown.

    Attributes:
        title: of the page that shows them alone.
        headlines: the metrics that a person compares precisions by, and for each its heading in a narrow table, and the
            same with its unit for cells that need none.
        praise: metrics that a sentence on one file ends in, and the words after the value.
    """

    title: str
    headlines: Mapping[str, tuple[str, str]] = field(hash=False)
    praise: tuple[tuple[str, str], ...]


_SIZE_AND_SPEED = {
    "size_bytes": ("size", "size\nMB"),
    "size_reduction_pct": ("smaller", "smaller\n%"),
    "latency_ms": ("latency", "latency\nms"),
    "speedup_vs_torch": ("vs PyTorch", "x vs\nPyTorch"),
    "speedup_vs_float32": ("vs float32", "x vs\nfloat32"),
}
_FIRST_PRAISE = (("size_reduction_pct", "smaller than float32"), ("speedup_vs_torch", "as fast as PyTorch"))
WATERMARK = TaskReport(
    "Watermark detectors",
    _SIZE_AND_SPEED
    | {
        "bit_agreement": ("agreement", "agree\n%"),
        "bit_accuracy": ("accuracy", "right\n%"),
        "logits_mae_rel_pct": ("MAE", "MAE\n%"),
    },
    (*_FIRST_PRAISE, ("bit_agreement", "of bits agree"), ("bit_accuracy", "of bits right")),
)
QUALITY = TaskReport(
    "Quality models",
    _SIZE_AND_SPEED
    | {
        "score_error_pct": ("score error", "score\nerr %"),
        "rank_correlation": ("rank correlation", "rank\ncorr."),
        "feature_error_pct": ("feature error", "feature\nerr %"),
    },
    (*_FIRST_PRAISE, ("score_error_pct", "off in the mean"), ("feature_error_pct", "off in its features")),
)
TASKS = (WATERMARK, QUALITY)


def task_of(metrics: Mapping[str, object]) -> TaskReport:
    """The task of a model: that whose own headlines were measured of it; the first where none were.

    Args:
        metrics: by name the value, or None where a metric was not measured or means nothing.
    """
    measured = {name for name, value in metrics.items() if value is not None}
    own = {task.title: set(task.headlines) - set(_SIZE_AND_SPEED) for task in TASKS}
    return next((task for task in TASKS if measured & own[task.title]), TASKS[0])
