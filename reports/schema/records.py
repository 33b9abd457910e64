"""The schema of a run's record: what is measured of which case, one flat row each.

Cheap to import: plain Python only.
"""

from dataclasses import dataclass, fields
from typing import SupportsFloat

from sealbench.reports.errors import ReportError
from sealbench.reports.schema.metrics import metric_named

NO_REWRITES = "none"
NO_ATTACK = "none"
UPSTREAM = "upstream"
"""Value of `preprocess` where pictures are resized as the model's authors do it."""
RANDOM = "random"
"""The dataset of made-up inputs, which exercise a file and are no evidence on data."""
REFERENCES = {"torch": "PyTorch", "reference": "reference"}
"""Backends of what files are compared with, PyTorch or a file, and what people read of each."""
UNATTACKED = (NO_ATTACK, "")
"""Values of `attack` where no image was attacked, or there are no images."""


@dataclass(frozen=True)
class Case:
    """What is run: one model at one precision on one backend.

    The PyTorch reference is precision "float32" on backend "torch" with upstream's resize; a reference that is a file
    has its own precision, on the backend "reference".

    Attributes:
        variant: Name of the model, e.g. "videoseal".
        weights: "bundled", "official", "file", "seeded" (untrained) or "own" (the model of a user brings them).
        precision: Name from the registry of precisions, e.g. "int8".
        image_size: "256", or "480x640" (height x width) when not square.
        mode: "simple" (input at the image size) or "resize" (resized inside the model).
        backend: "torch" or "reference" for the reference, else the name of the backend that runs the file.
        threads: Threads of the runtime, at least 1.
        rewrites: Exact rewrites of the network before its export, joined by "+"; "none" where it was exported as it is.
        preprocess: How pictures are brought to the model's input, e.g. "opencv".
    """

    variant: str
    weights: str
    precision: str
    image_size: str
    mode: str
    backend: str
    threads: int
    rewrites: str = NO_REWRITES
    preprocess: str = UPSTREAM

    @property
    def is_reference(self) -> bool:
        """Whether this is the reference, PyTorch or a file, which no gate on files concerns.

        PyTorch after another resize is compared with it as files are.
        """
        return self.backend in REFERENCES and self.preprocess == UPSTREAM


@dataclass(frozen=True)
class Expectation:
    """One measurement that the selected suites promise to make.

    Attributes:
        case: What is run.
        dataset: Name of the images, "" for a metric that needs none (size, latency).
        attack: "none" or "name:strength".
        metric: A known metric's name.
    """

    case: Case
    dataset: str
    attack: str
    metric: str


@dataclass(frozen=True)
class Measurement:
    """One row of results.csv. Make it with `measurement`, which takes the unit from the registry.

    Attributes:
        run_id: Name of the run.
        case: What was run.
        dataset: Name of the images, "" for a metric that needs none.
        attack: "none" or "name:strength".
        metric: A known metric's name.
        value: In `unit`; NaN and infinities are kept and never pass a gate.
        unit: The registry's unit of the metric.
        ci_low: Lower end of the 95 % interval (of a speed-up 98.75 %: up to four interim analyses) in `unit`, or None.
        ci_high: Its upper end, or None.
        n: How many samples the value rests on (images, rounds; 1 for a file).
    """

    run_id: str
    case: Case
    dataset: str
    attack: str
    metric: str
    value: float
    unit: str
    ci_low: float | None
    ci_high: float | None
    n: int

    @property
    def expectation(self) -> Expectation:
        """The promise that this measurement keeps."""
        return Expectation(self.case, self.dataset, self.attack, self.metric)


CASE_COLUMNS = tuple(field.name for field in fields(Case))
"""The columns that identify a case."""


def measurement(
    run_id: str,
    case: Case,
    dataset: str,
    attack: str,
    metric: str,
    value: SupportsFloat,
    n: int,
    ci: tuple[SupportsFloat, SupportsFloat] | None = None,
) -> Measurement:
    """Make one row of the record.

    Args:
        run_id: Name of the run.
        case: What was run.
        dataset: Name of the images, "" for a metric that needs none.
        attack: "none" or "name:strength".
        metric: A known metric's name.
        value: In the registry's unit of the metric; NaN is allowed (and fails every gate).
        n: How many samples the value rests on.
        ci: Its interval (low, high) in the same unit, see `Measurement`, or None.

    Returns:
        The measurement, all numbers as plain Python floats and ints.

    Raises:
        ReportError: The metric is unknown, or the value is not a number.
    """
    unit = metric_named(metric).unit
    try:
        number = float(value)
        low, high = (None, None) if ci is None else (float(ci[0]), float(ci[1]))
    except (TypeError, ValueError) as error:
        raise ReportError(
            f"{metric} of {case.variant} {case.precision}: expected a number, found value {value!r}, interval {ci!r}"
        ) from error
    return Measurement(run_id, case, dataset, attack, metric, number, unit, low, high, int(n))
