"""Every table that a run writes while it measures: place and columns, and measurements as rows. Cheap to import.

docs/data-contract.md describes them for other programs.
"""

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from sealbench.reports.errors import ReportError
from sealbench.reports.schema.columns import Cells, Column, Kind, Table
from sealbench.reports.schema.metrics import metric_named
from sealbench.reports.schema.old_names import current_metric
from sealbench.reports.schema.records import CASE_COLUMNS, Case, Expectation, Measurement, measurement

CONFIDENCE_BIT = -1
"""The number under which channel 0, the detection confidence, stands in the column `bit`."""
PLAIN_SUFFIX = "/plain"
"""What the column `sample` of an image without its watermark ends in."""

_CASE: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("variant", Kind.TEXT, "name of the model"),
        Column("weights", Kind.TEXT, "kind of its weights"),
        Column("precision", Kind.TEXT, "of the file; float32 for the PyTorch reference"),
        Column("image_size", Kind.TEXT, "side in pixels, or height x width"),
        Column("mode", Kind.TEXT, "simple, or resize where the file resizes images inside"),
        Column("backend", Kind.TEXT, "litert or tensorflow; torch for the PyTorch reference, reference for a file"),
        Column("threads", Kind.WHOLE, "of the runtime"),
        Column("rewrites", Kind.TEXT, "exact rewrites before the export, joined by +"),
        Column("preprocess", Kind.TEXT, "how pictures are brought to the model's input"),
    )
}
_DATASET = Column("dataset", Kind.TEXT, "name of the images; empty for a metric that needs none")
_ATTACK = Column("attack", Kind.TEXT, "none, or name:strength")
_METRIC = Column("metric", Kind.TEXT, "name in the registry of metrics")
_SAMPLE = Column("sample", Kind.TEXT, "dataset/name of the image or frame")
_IMAGES = Column("images", Kind.WHOLE, "watermarked images that the file was analysed on")

SAMPLE_CASE_COLUMNS = ("variant", "precision", "backend", "image_size", "rewrites", "preprocess")
"""The columns of a case that the tables of samples repeat."""
_ADDED = ("rewrites", "preprocess")
"""Columns of a case that came after others: a new column of a table comes at its end."""


def _case(*names: str) -> tuple[Column, ...]:
    return tuple(_CASE[name] for name in names)


def _numbers(**descriptions: str) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.NUMBER, description) for name, description in descriptions.items())


RESULTS = Table(
    "results.csv",
    (
        Column("run_id", Kind.TEXT, "name of the run"),
        *_case(*(name for name in CASE_COLUMNS if name not in _ADDED)),
        _DATASET,
        _ATTACK,
        _METRIC,
        Column("value", Kind.NUMBER, "in `unit`"),
        Column("unit", Kind.TEXT, "the metric's own"),
        Column("ci_low", Kind.OPTIONAL, "lower end of the interval in `unit`"),
        Column("ci_high", Kind.OPTIONAL, "its upper end"),
        Column("n", Kind.WHOLE, "images, frames or rounds that the value rests on"),
        *_case(*_ADDED),
    ),
)
PLAN = Table("plan.csv", (*_case(*CASE_COLUMNS), _DATASET, _ATTACK, _METRIC))
BITS = Table(
    "samples/bits.csv",
    (
        *_case("variant", "precision", "backend"),
        _ATTACK,
        _SAMPLE,
        Column("bit", Kind.WHOLE, "from 0; CONFIDENCE_BIT is channel 0"),
        *_numbers(
            message="the embedded bit, 0 or 1; NaN where there is none",
            reference_logit="of PyTorch on the same image",
            logit="of this file",
        ),
        *_case("image_size", *_ADDED),
    ),
)
_SCORE_SUMS = _numbers(
    values="how many values the output has",
    nonfinite="how many of them are NaN or infinite",
    error_ss="sum of the squared differences to PyTorch's values",
    reference_ss="sum of the squares of PyTorch's values",
    found_ss="sum of the squares of this file's values",
    product="sum of the products of the two",
)
SCORE_SUMS = tuple(column.name for column in _SCORE_SUMS)
"""The columns of samples/scores.csv that are sums over the values of one output."""
SCORES = Table(
    "samples/scores.csv",
    (
        *_case("variant", "precision", "backend"),
        _ATTACK,
        _SAMPLE,
        *_numbers(score="of this file, 1 to 5; NaN for features", reference_score="of PyTorch"),
        *_SCORE_SUMS,
        *_case("image_size", *_ADDED),
    ),
)
_OUTPUT_SUMS = _numbers(
    values="how many values the output has",
    nonfinite="how many of them are NaN or infinite",
    error_abs="sum of the absolute differences to the reference's values",
    error_max="largest absolute difference",
    error_ss="sum of the squared differences",
    reference_ss="sum of the squares of the reference's values",
    found_ss="sum of the squares of this file's values",
    product="sum of the products of the two",
    top1_vectors="vectors along the last axis; 0 where it has one value",
    top1_agreeing="of these, those whose largest value stands where the reference's does",
)
OUTPUT_SUMS = tuple(column.name for column in _OUTPUT_SUMS)
"""The columns of samples/outputs.csv that are sums over the values of one output, and `error_max`, the largest."""
OUTPUTS = Table(
    "samples/outputs.csv",
    (
        *_case("variant", "precision", "backend"),
        _SAMPLE,
        Column("output", Kind.WHOLE, "its number, from 0, in the order of the model"),
        *_OUTPUT_SUMS,
        *_case("image_size", *_ADDED),
    ),
)
LATENCY = Table(
    "samples/latency.csv",
    (
        *_case("variant", "precision", "image_size", "backend", "threads"),
        Column("round", Kind.WHOLE, "from 0; in a round each model runs once"),
        Column("position", Kind.WHOLE, "place in the round, from 0"),
        *_numbers(latency_ms="wall-clock time of one image in milliseconds"),
        *_case("rewrites"),
    ),
)
IMAGES = Table(
    "samples/images.csv",
    (
        _DATASET,
        Column("image", Kind.TEXT, "name of the image in the dataset"),
        Column("picture", Kind.TEXT, "that it was cut from: one cluster of every interval"),
    ),
)
DURATIONS = Table(
    "samples/durations.csv",
    (
        *_case("variant"),
        Column("suite", Kind.TEXT, "name of a file in bench/suites"),
        Column("precision", Kind.TEXT, "PyTorch for the reference"),
        Column("samples", Kind.WHOLE, "images of the test; 0 where it needs none"),
        *_numbers(seconds="that the test took"),
    ),
)
WORST_IMAGES = Table(
    "samples/worst_images.csv",
    (
        *_case(*SAMPLE_CASE_COLUMNS),
        _ATTACK,
        Column("rank", Kind.WHOLE, "1 is the worst"),
        _SAMPLE,
        Column("flips", Kind.WHOLE, "bits that PyTorch decides otherwise"),
        Column("negative_flips", Kind.WHOLE, "of these, those that PyTorch reads right"),
        Column("wrong_bits", Kind.WHOLE, "bits that are not the message's"),
        *_numbers(logits_rmse="root mean square error of its logits"),
        Column("message", Kind.TEXT, "the embedded message, a digit for each bit"),
        Column("attack_seed", Kind.TEXT, "what the attack drew its random numbers from, or empty"),
    ),
)
ERROR_TERMS = Table(
    "samples/error_terms.csv",
    (
        *_case(*CASE_COLUMNS),
        _IMAGES,
        Column("term", Kind.TEXT, "a step from PyTorch to the file, or total"),
        *_numbers(
            rms="root mean square of what the step changes, in logits",
            mae="mean absolute change, in logits",
            share_pct="its part of the mean square of the total, in percent",
        ),
    ),
)
LAYER_ERRORS = Table(
    "samples/layer_errors.csv",
    (
        *_case(*CASE_COLUMNS),
        _IMAGES,
        Column("layer", Kind.TEXT, "name of its output tensor in the file"),
        Column("operation", Kind.TEXT, "its kind, of a convolution with its kernel"),
        Column("stored", Kind.TEXT, "number type of its weights"),
        *_numbers(
            isolated_pct="RMS of its own error in percent of its output's RMS",
            gain="slope of its output on the float32 one",
            accumulated_pct="as isolated_pct, where everything before it is quantized too",
        ),
    ),
)


def case_cells(case: Case) -> tuple[object, ...]:
    """The values of a case in the order of CASE_COLUMNS."""
    return astuple(case)


def expectation_cells(expectation: Expectation) -> tuple[object, ...]:
    """A row of plan.csv, in the order of its columns."""
    return (*case_cells(expectation.case), expectation.dataset, expectation.attack, expectation.metric)


def measurement_cells(row: Measurement) -> tuple[object, ...]:
    """A row of results.csv, in the order of its columns."""
    return tuple(getattr(row.case if name in CASE_COLUMNS else row, name) for name in RESULTS.names)


def parse_expectation(cells: Cells, place: str) -> Expectation:
    """Read a row of plan.csv, also one of an earlier version.

    Args:
        cells: The row.
        place: File and row, for the message.

    Returns:
        What was promised.

    Raises:
        ReportError: A cell is no number where one is expected.
    """
    values = PLAN.parse(cells, place)
    return Expectation(_case_of(values), values["dataset"], values["attack"], current_metric(values["metric"]))


def parse_measurement(cells: Cells, place: str) -> Measurement:
    """Read a row of results.csv, also one of an earlier version.

    Args:
        cells: The row.
        place: File and row, for the message.

    Returns:
        The measurement; a value that is missing is NaN, which never passes a gate.

    Raises:
        ReportError: The metric is unknown, has another unit, or a cell is no number where one is expected.
    """
    values = RESULTS.parse(cells, place)
    run_id, dataset, attack, value, n = (values[name] for name in ("run_id", "dataset", "attack", "value", "n"))
    metric, low, high = current_metric(values["metric"]), values["ci_low"], values["ci_high"]
    try:
        unit = metric_named(metric).unit
    except ReportError as error:
        raise ReportError(f"{place}: {error}") from error
    if values["unit"] != unit:
        raise ReportError(f"{place}: unit of {metric} is {values['unit']!r}, expected {unit!r}")
    ci = None if low is None or high is None else (low, high)
    return measurement(run_id, _case_of(values), dataset, attack, metric, value, n, ci)


def _case_of(values: Mapping[str, Any]) -> Case:
    return Case(**{name: values[name] for name in CASE_COLUMNS})
