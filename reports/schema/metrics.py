"""Every metric that a run may record, one entry each: its definition, headings and plots, and why it has no gate.

Cheap to import: plain Python only. Adding a metric is adding one entry here. Another distribution adds metrics with an
entry point of the group `sealbench.metrics` whose value is a tuple of `Metric`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Literal

from sealbench.reports.errors import ReportError

SEEDED = "seeded"
OFFICIAL = "official"
WATERMARK_TASK = "watermark"
QUALITY_TASK = "quality"
ENTRY_POINTS = "sealbench.metrics"

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Headline:
    """How a metric is shown among those that a person compares precisions by.

    Attributes:
        place: Headlines are shown in the order of their places.
        heading: In a narrow table.
        short: The same with its unit on a second line, for cells that need none; at most 9 characters a line.
        words: What a sentence on one file says after the value; "" where it does not say the value.
    """

    place: int
    heading: str
    short: str
    words: str = ""


@dataclass(frozen=True)
class Metric:
    """One thing that can be measured of a case.

    Attributes:
        name: The name in results.csv and in gates.
        unit: "bytes", "%", "fraction" (0 to 1), "points" (percentage points), "quality points" (of JPEG),
            "logit", "score", "correlation", "probability", "log10", "dB", "ms", "s", "MB" (10^6 bytes), "x" (ratio) or
            "count".
        better: Which direction is good news; "neither" for a value that only describes.
        needs_trained: True when the value means nothing for seeded (untrained) weights.
        needs_channel0: True when the value means nothing for official weights, whose channel 0 is untrained.
        description: The definition in one sentence.
        task: The task whose models alone have it, e.g. "watermark"; "" for a metric of every model.
        headline: How it is shown among the headlines, or None where it is none of them.
        plots: Names of the pictures in plots/ that draw its value.
        no_gate: Why it never has a gate, in one sentence; "" where gates.toml has one. Reasons that hold for some
            cases only stand in gates/exemptions.py.
    """

    name: str
    unit: str
    better: Better
    needs_trained: bool
    needs_channel0: bool
    description: str
    task: str = ""
    headline: Headline | None = None
    plots: tuple[str, ...] = ()
    no_gate: str = ""


def _metric(
    name: str,
    unit: str,
    better: Better,
    description: str,
    *,
    needs_trained: bool = False,
    needs_channel0: bool = False,
    task: str = "",
    headline: Headline | None = None,
    plots: tuple[str, ...] = (),
    no_gate: str = "",
) -> Metric:
    return Metric(name, unit, better, needs_trained, needs_channel0, description, task, headline, plots, no_gate)


# Why several metrics have no gate.
_ABSOLUTE_TIME = "An absolute time belongs to one machine and one moment; ratios within a run are judged."
_FRESH_PROCESS = "Measured once in a fresh process on one machine: it informs a choice and has no limit."
_EXPLAINS_SPEED = "It explains a speed, which is judged itself."
_LOGIT_SCALE = "Logits have another scale in every model; logits_mae_rel_pct, which has none, is judged."
_FROM_BITS = "It follows from the bits, which are judged by bit_accuracy_delta and bit_accuracy_ratio_pct."
_AT_RISK = "It warns of bits that may flip; those that did are judged."
_REFERENCES_OWN = (
    "It is mostly the reference's own; what a file adds is judged by false_positive_rate_excess and null_balance_shift."
)
_SAME_OF_FRAMES = "score_error_pct and rank_correlation are judged, which say the same of all frames."
_TRADE_OFFS = ("accuracy_vs_size", "accuracy_vs_latency")

_ALL = (
    _metric(
        "size_bytes",
        "bytes",
        "lower",
        "Size of the model file.",
        headline=Headline(0, "size", "size\nMB"),
        plots=("accuracy_vs_size", "size_by_precision"),
    ),
    _metric(
        "size_reduction_pct",
        "%",
        "higher",
        "How much smaller the file is than float32 of the same variant, image size and mode: "
        "100 * (1 - size / float32 size).",
        headline=Headline(1, "smaller", "smaller\n%", "smaller than float32"),
        plots=("size_by_precision",),
    ),
    _metric(
        "quantized_weight_pct",
        "%",
        "neither",
        "Share of the file's weights stored below 32 bits; read from its tensors, not its name.",
    ),
    _metric("int4_weight_pct", "%", "neither", "Share of the file's weights stored at 4 bits; read from its tensors."),
    _metric(
        "quantize_operations",
        "count",
        "neither",
        "Number of QUANTIZE and DEQUANTIZE operations: changes of the number type while the model runs.",
        no_gate=_EXPLAINS_SPEED,
    ),
    _metric(
        "xnnpack_partitions",
        "count",
        "lower",
        "Parts of the graph that XNNPACK runs; 0 where it takes nothing.",
        no_gate=_EXPLAINS_SPEED,
    ),
    _metric(
        "delegated_operation_pct",
        "%",
        "higher",
        "Share of the file's operations that XNNPACK runs.",
        no_gate=_EXPLAINS_SPEED,
    ),
    _metric(
        "weight_slope_error",
        "fraction",
        "lower",
        "Largest |slope - 1| over the layers, slope of the dequantized weights on PyTorch's by least squares.",
    ),
    _metric(
        "weight_channel_slope_error",
        "fraction",
        "lower",
        "Largest |slope - 1| over the single output channels of all layers.",
    ),
    _metric(
        "unmatched_weight_pct",
        "%",
        "lower",
        "Share of the weights stored below 32 bits that resemble none of PyTorch's of their shape.",
    ),
    _metric(
        "bit_accuracy",
        "fraction",
        "higher",
        "Share of bits with (logit > 0) == message, over all images.",
        needs_trained=True,
        task=WATERMARK_TASK,
        headline=Headline(6, "accuracy", "accuracy\n%", "bit accuracy"),
        plots=(*_TRADE_OFFS, "accuracy_by_precision", "robustness"),
    ),
    _metric(
        "bit_accuracy_delta",
        "points",
        "higher",
        "100 * (bit accuracy - bit accuracy of the PyTorch reference on the same images); negative is worse.",
        needs_trained=True,
        task=WATERMARK_TASK,
        plots=("robustness",),
    ),
    _metric(
        "word_accuracy",
        "fraction",
        "higher",
        "Share of images with every bit right.",
        needs_trained=True,
        task=WATERMARK_TASK,
        no_gate=_FROM_BITS,
    ),
    _metric(
        "bit_accuracy_ratio_pct",
        "%",
        "higher",
        "100 * bit accuracy / bit accuracy of the PyTorch reference on the same bits; its interval is paired and by "
        "picture, and where nothing flipped as wide as the exact one of as many independent bits.",
        needs_trained=True,
        task=WATERMARK_TASK,
    ),
    _metric(
        "negative_flips",
        "count",
        "lower",
        "Number of bits that the PyTorch reference reads right and the file wrong, over all watermarked images.",
        needs_trained=True,
        task=WATERMARK_TASK,
        no_gate=_FROM_BITS,
    ),
    _metric(
        "positive_flips",
        "count",
        "neither",
        "Number of bits that the PyTorch reference reads wrong and the file right, over all watermarked images.",
        needs_trained=True,
        task=WATERMARK_TASK,
        no_gate=_FROM_BITS,
    ),
    _metric(
        "neutral_flips",
        "count",
        "lower",
        "Number of bits decided otherwise than by the PyTorch reference on images without a watermark.",
        task=WATERMARK_TASK,
        no_gate=_AT_RISK,
    ),
    _metric(
        "mcnemar_pvalue",
        "probability",
        "higher",
        "McNemar's exact one-sided test of more negative than positive flips; takes flips for independent, which those "
        "of one picture are not.",
        needs_trained=True,
        task=WATERMARK_TASK,
        no_gate=_FROM_BITS,
    ),
    _metric(
        "bits_at_risk_pct",
        "%",
        "lower",
        "Share of bits whose reference logit is smaller in magnitude than the 99th percentile of this file's errors.",
        task=WATERMARK_TASK,
        no_gate=_AT_RISK,
    ),
    _metric(
        "tied_bits",
        "count",
        "lower",
        "Number of bit logits that are exactly zero, over all images.",
        task=WATERMARK_TASK,
    ),
    _metric(
        "bit_agreement",
        "fraction",
        "higher",
        "Share of bits equal to the PyTorch reference's own bits.",
        task=WATERMARK_TASK,
        headline=Headline(5, "agreement", "agreement\n%", "bit agreement"),
        plots=(*_TRADE_OFFS, "accuracy_by_precision", "robustness"),
    ),
    _metric(
        "logits_mae",
        "logit",
        "lower",
        "Mean absolute difference of the bit logits to the reference.",
        task=WATERMARK_TASK,
        no_gate=_LOGIT_SCALE,
    ),
    _metric(
        "logits_rmse",
        "logit",
        "lower",
        "Root mean square difference of the bit logits to the reference.",
        task=WATERMARK_TASK,
        no_gate=_LOGIT_SCALE,
    ),
    _metric(
        "logits_max_abs",
        "logit",
        "lower",
        "Largest absolute difference of a bit logit to the reference.",
        task=WATERMARK_TASK,
        no_gate=_LOGIT_SCALE,
    ),
    _metric(
        "litert_max_abs_diff",
        "logit",
        "lower",
        "Largest absolute difference of a logit to what LiteRT gives for the same file and image.",
        task=WATERMARK_TASK,
        no_gate="It compares two interpreters on one file: a difference is no fault of the file.",
    ),
    _metric(
        "logits_mae_rel_pct",
        "%",
        "lower",
        "100 * logits MAE / mean |reference logit|.",
        task=WATERMARK_TASK,
        headline=Headline(7, "MAE", "MAE\n%"),
    ),
    _metric(
        "snr_db",
        "dB",
        "higher",
        "10 * log10(sum of reference logits squared / sum of squared differences).",
        task=WATERMARK_TASK,
        no_gate=_LOGIT_SCALE,
    ),
    _metric(
        "detection_confidence",
        "logit",
        "neither",
        "Mean of output channel 0 over watermarked images, as the model gives it.",
        needs_trained=True,
        needs_channel0=True,
        task=WATERMARK_TASK,
        no_gate="It is neither good nor bad; its difference to the reference is judged by confidence_delta.",
    ),
    _metric(
        "confidence_delta",
        "probability",
        "lower",
        "Mean |sigmoid(channel 0) - sigmoid(channel 0 of the reference)|.",
        needs_channel0=True,
        task=WATERMARK_TASK,
    ),
    _metric(
        "log10_pvalue",
        "log10",
        "lower",
        "Mean over images of log10 of the binomial tail of the matched bits under p = 1/2.",
        needs_trained=True,
        task=WATERMARK_TASK,
        no_gate=_FROM_BITS,
    ),
    _metric(
        "tpr_at_fpr_1e-6",
        "fraction",
        "higher",
        "Share of watermarked images accepted at the threshold whose binomial tail is at most 1e-6.",
        needs_trained=True,
        task=WATERMARK_TASK,
        no_gate=_FROM_BITS,
    ),
    _metric(
        "false_positive_rate",
        "fraction",
        "lower",
        "Share of unwatermarked images accepted at the threshold, for fixed keys.",
        needs_trained=True,
        task=WATERMARK_TASK,
        no_gate=_REFERENCES_OWN,
    ),
    _metric(
        "false_positive_rate_excess",
        "fraction",
        "lower",
        "False positive rate minus the upper end of the 95 % interval of the reference's rate on the same images "
        "(by picture, or exact, whichever reaches further); at most 0 means no more than the reference's.",
        needs_trained=True,
        task=WATERMARK_TASK,
    ),
    _metric(
        "worst_key_false_positive_rate",
        "fraction",
        "lower",
        "Largest share of unwatermarked images that one of the fixed keys accepts at the threshold.",
        needs_trained=True,
        task=WATERMARK_TASK,
        no_gate=_REFERENCES_OWN,
    ),
    _metric(
        "null_bit_imbalance",
        "fraction",
        "lower",
        "Mean over the bits of |share of unwatermarked images that set it - 1/2|; n fair coins give 1 / sqrt(2 pi n).",
        needs_trained=True,
        task=WATERMARK_TASK,
        no_gate=_REFERENCES_OWN,
    ),
    _metric(
        "null_bit_correlation",
        "fraction",
        "lower",
        "Mean |correlation| of two bits over unwatermarked images; n fair coins give sqrt(2 / (pi n)).",
        needs_trained=True,
        task=WATERMARK_TASK,
        no_gate=_REFERENCES_OWN,
    ),
    _metric(
        "null_balance_shift",
        "fraction",
        "lower",
        "Mean over the bits of |share of unwatermarked images that set it - that share of the PyTorch reference|.",
        needs_trained=True,
        task=WATERMARK_TASK,
    ),
    _metric(
        "jpeg_quality_cost",
        "quality points",
        "lower",
        "How much more JPEG quality the file needs than the PyTorch reference for the same bit accuracy, averaged over "
        "the accuracies of the reference's curve: area between the two curves over quality / rise of the reference's.",
        needs_trained=True,
        task=WATERMARK_TASK,
        no_gate="It sums up what the gates on bits after JPEG judge one by one.",
    ),
    _metric(
        "score_mae",
        "score",
        "lower",
        "Mean |score - score of the PyTorch reference|; scores are from 1 to 5.",
        task=QUALITY_TASK,
        no_gate=_SAME_OF_FRAMES,
    ),
    _metric(
        "score_error_pct",
        "%",
        "lower",
        "Mean over frames of 100 * |score - score of the PyTorch reference| / that score.",
        task=QUALITY_TASK,
        headline=Headline(5, "score error", "score\nerror %", "score error"),
    ),
    _metric(
        "score_error_max_pct",
        "%",
        "lower",
        "The largest of these over the frames.",
        task=QUALITY_TASK,
    ),
    _metric(
        "rank_correlation",
        "correlation",
        "higher",
        "Spearman's rank correlation of the scores with the PyTorch reference's, over all frames.",
        task=QUALITY_TASK,
        headline=Headline(6, "rank correlation", "rank\ncorr."),
    ),
    _metric(
        "pair_agreement",
        "fraction",
        "higher",
        "Share of the pairs of frames of one picture or video that are in the PyTorch reference's order.",
        task=QUALITY_TASK,
        no_gate=_SAME_OF_FRAMES,
    ),
    _metric(
        "feature_error_pct",
        "%",
        "lower",
        "100 * root of the sum of squared errors of the features over that of PyTorch's squared features.",
        task=QUALITY_TASK,
        headline=Headline(7, "feature error", "feature\nerror %", "feature error"),
    ),
    _metric(
        "feature_cosine",
        "correlation",
        "higher",
        "Cosine of the angle between all features and the PyTorch reference's.",
        task=QUALITY_TASK,
        no_gate="It is insensitive: near 1 where feature_error_pct is several percent.",
    ),
    _metric(
        "latency_ms",
        "ms",
        "lower",
        "Median time of one inference of one image, after warm-up.",
        headline=Headline(2, "latency", "latency\nms"),
        plots=("accuracy_vs_latency", "latency_by_precision"),
        no_gate=_ABSOLUTE_TIME,
    ),
    _metric(
        "latency_p90_ms",
        "ms",
        "lower",
        "90th percentile of the time of one inference.",
        plots=("latency_by_precision",),
        no_gate=_ABSOLUTE_TIME,
    ),
    _metric(
        "latency_p99_ms",
        "ms",
        "lower",
        "99th percentile of the time of one inference.",
        no_gate=_ABSOLUTE_TIME,
    ),
    _metric(
        "load_ms",
        "ms",
        "lower",
        "Time from the file to a model that can be called, in a fresh process that has imported the engine.",
        no_gate=_FRESH_PROCESS,
    ),
    _metric(
        "first_ms",
        "ms",
        "lower",
        "Time of the first inference of a fresh process.",
        no_gate=_FRESH_PROCESS,
    ),
    _metric(
        "peak_memory_mb",
        "MB",
        "lower",
        "Most memory resident in a fresh process that loads the model and calls it until it is warm, and does nothing "
        "else; mapped pages of the file count.",
        no_gate=_FRESH_PROCESS,
    ),
    _metric(
        "bare_memory_mb",
        "MB",
        "neither",
        "The part of the peak memory that was there before the model: Python, NumPy and the imported engine.",
        no_gate=_FRESH_PROCESS,
    ),
    _metric(
        "speedup_vs_torch",
        "x",
        "higher",
        "Latency of the PyTorch reference / latency, both medians from the same interleaved rounds.",
        headline=Headline(3, "vs PyTorch", "x vs\nPyTorch", "as fast as PyTorch"),
        plots=("latency_by_precision",),
    ),
    _metric(
        "speedup_vs_float32",
        "x",
        "higher",
        "Latency of the float32 file / latency, both medians from the same interleaved rounds.",
        headline=Headline(4, "vs float32", "x vs\nfloat32"),
    ),
    _metric(
        "speedup_vs_plain",
        "x",
        "higher",
        "Latency of the same file without rewrites / latency, both medians from the same interleaved rounds.",
        plots=("rewrite_effect",),
        no_gate="It says whether a rewrite pays, not whether the file may ship.",
    ),
    _metric("converted", "count", "higher", "1 where the variant converted at this precision, 0 where it failed."),
    _metric(
        "convert_s",
        "s",
        "lower",
        "Time that making the file took when it was made, without the float32 file it is from.",
        no_gate=_ABSOLUTE_TIME,
    ),
    _metric(
        "psnr_db",
        "dB",
        "higher",
        "PSNR of the watermarked image against the original.",
        task=WATERMARK_TASK,
        no_gate="The embedder decides how visible the watermark is; no precision of a detector changes it.",
    ),
    _metric("nan_count", "count", "lower", "Number of model outputs that are NaN or infinite, over all images."),
)


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


METRICS = MetricRegistry(_ALL)


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
        weights: "bundled", "official", "file" or "seeded".

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
