"""Every metric that a run may record, by name. Cheap to import: plain Python only.

An entry has the definition, the headings, the pictures and the reason without a gate; adding a metric is adding one to
a `*_metrics.py` file beside this one. Another distribution adds metrics with an entry point of the group
`sealbench.metrics` whose value is a tuple of `Metric`.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points

from sealbench.reports.errors import ReportError
from sealbench.reports.schema.file_metrics import FILE_METRICS
from sealbench.reports.schema.metric import Metric
from sealbench.reports.schema.other_metrics import OTHER_METRICS
from sealbench.reports.schema.quality_metrics import QUALITY_METRICS
from sealbench.reports.schema.speed_metrics import SPEED_METRICS
from sealbench.reports.schema.tensor_metrics import TENSOR_METRICS
from sealbench.reports.schema.watermark_metrics import WATERMARK_METRICS

SEEDED = "seeded"
OFFICIAL = "official"
ENTRY_POINTS = "sealbench.metrics"


class MetricRegistry(Mapping[str, Metric]):
    """Our metrics, then those of other distributions, by name.

    Those of others are loaded when a name is asked for that is not ours, or when all are listed: most programs need
    neither, and finding entry points takes longer than importing this module.

    Args:
        ours: The metrics of this module.
    """

    def __init__(self, ours: tuple[Metric, ...]):
        self._ours = {metric.name: metric for metric in ours}

    def __getitem__(self, name: str) -> Metric:
        return self._ours[name] if name in self._ours else self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @cached_property
    def _all(self) -> dict[str, Metric]:
        found = dict(self._ours)
        for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
            for metric in _loaded(point):
                if metric.name in found:
                    raise ReportError(
                        f"{_origin(point)}: there is a metric {metric.name!r} already, expected another name"
                    )
                found[metric.name] = metric
        return found


def _loaded(point: EntryPoint) -> tuple[Metric, ...]:
    try:
        found = point.load()
    except Exception as error:  # whatever another distribution's module raises when it is imported
        raise ReportError(f"{_origin(point)} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(found, tuple) or not all(isinstance(metric, Metric) for metric in found):
        raise ReportError(f"{_origin(point)} is {found!r}, expected a tuple of Metric")
    return found


def _origin(point: EntryPoint) -> str:
    owner = "" if point.dist is None else f" of {point.dist.name}"
    return f"entry point {point.name!r}{owner} in the group {ENTRY_POINTS}"


METRICS = MetricRegistry(
    (*FILE_METRICS, *WATERMARK_METRICS, *QUALITY_METRICS, *TENSOR_METRICS, *SPEED_METRICS, *OTHER_METRICS)
)
"""In the order of the columns of summary.csv."""


def metric_named(name: str) -> Metric:
    """Look a metric up.

    Args:
        name: A name from METRICS.

    Returns:
        The registry's entry.

    Raises:
        ReportError: The name is unknown (the message lists the known ones), or another distribution's metrics cannot be
            loaded.
    """
    if name not in METRICS:
        raise ReportError(f"unknown metric {name!r}; known metrics: {', '.join(METRICS)}")
    return METRICS[name]


def reason_not_applicable(metric: str, weights: str) -> str | None:
    """Say why a metric means nothing for some weights.

    Args:
        metric: A known metric's name.
        weights: "bundled", "official", "file", "seeded" or "own".

    Returns:
        One sentence, or None when the metric means something.

    Raises:
        ReportError: The metric is unknown.
    """
    entry = metric_named(metric)
    if entry.needs_trained and weights == SEEDED:
        return f"{metric} means nothing for seeded weights: they are untrained"
    if entry.needs_channel0 and weights == OFFICIAL:
        return f"{metric} means nothing for official weights: upstream leaves output channel 0 untrained"
    return None
