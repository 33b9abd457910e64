"""The tasks of models: a title each, and the headlines that their metrics declare.

Cheap to import: plain Python only. A task is added by metrics that name it; without a title here its name is its title.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sealbench.reports.schema.metric import QUALITY_TASK, TENSOR_TASK, WATERMARK_TASK, Headline
from sealbench.reports.schema.metrics import METRICS

_TITLES = {WATERMARK_TASK: "Watermark detectors", QUALITY_TASK: "Quality models", TENSOR_TASK: "Other models"}


@dataclass(frozen=True)
class TaskReport:
    """How models of one task are shown.

    Attributes:
        name: As metrics name it.
        title: Of the page that shows them alone.
        headlines: The metrics that a person compares precisions by, in order.
    """

    name: str
    title: str
    headlines: Mapping[str, Headline] = field(hash=False)


def _task(name: str) -> TaskReport:
    own = [
        (metric.headline, metric.name)
        for metric in METRICS.values()
        if metric.headline is not None and metric.task in {"", name}
    ]
    own.sort(key=lambda entry: entry[0].place)
    title = _TITLES.get(name, name.replace("_", " ").capitalize())
    return TaskReport(name, title, {metric: headline for headline, metric in own})


TASKS = tuple(_task(name) for name in dict.fromkeys([*_TITLES, *(metric.task for metric in METRICS.values())]) if name)
WATERMARK, QUALITY, TENSOR = TASKS[:3]
HEADLINES = tuple(dict.fromkeys(metric for task in TASKS for metric in task.headlines))


def task_of(metrics: Mapping[str, object]) -> TaskReport:
    """The task of a model: that whose own metrics were measured of it; the first where none were.

    Args:
        metrics: By name the value, or None where a metric was not measured or means nothing.
    """
    measured = {METRICS[name].task for name, value in metrics.items() if value is not None}
    return next((task for task in TASKS if task.name in measured), TASKS[0])
