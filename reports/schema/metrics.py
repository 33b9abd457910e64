"""Every metric that a run may record: its name, unit, direction, and for which weights it means something.

Cheap to import: plain Python only. Adding a metric is adding one entry here.
"""

from dataclasses import dataclass
from typing import Literal

from sealbench.reports.errors import ReportError

SEEDED = "seeded"
OFFICIAL = "official"


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
    """

    name: str
    unit: str
    better: Literal["higher", "lower", "neither"]
    needs_trained: bool
    needs_channel0: bool
    description: str


def _metric(
    name: str,
    unit: str,
    better: Literal["higher", "lower", "neither"],
    description: str,
    *,
    needs_trained: bool = False,
    needs_channel0: bool = False,
) -> Metric:
    return Metric(name, unit, better, needs_trained, needs_channel0, description)


_ALL = (
    _metric("size_bytes", "bytes", "lower", "Size of the model file."),
    _metric(
        "size_reduction_pct",
        "%",
        "higher",
        "How much smaller the file is than float32 of the same variant, image size and mode: "
        "100 * (1 - size / float32 size).",
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
    ),
    _metric("xnnpack_partitions", "count", "lower", "Parts of the graph that XNNPACK runs; 0 where it takes nothing."),
    _metric("delegated_operation_pct", "%", "higher", "Share of the file's operations that XNNPACK runs."),
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
    ),
    _metric(
        "bit_accuracy_delta",
        "points",
        "higher",
        "100 * (bit accuracy - bit accuracy of the PyTorch reference on the same images); negative is worse.",
        needs_trained=True,
    ),
    _metric("word_accuracy", "fraction", "higher", "Share of images with every bit right.", needs_trained=True),
    _metric(
        "bit_accuracy_ratio_pct",
        "%",
        "higher",
        "100 * bit accuracy / bit accuracy of the PyTorch reference on the same bits; its interval is paired and by "
        "picture, and where nothing flipped as wide as the exact one of as many independent bits.",
        needs_trained=True,
    ),
    _metric(
        "negative_flips",
        "count",
        "lower",
        "Number of bits that the PyTorch reference reads right and the file wrong, over all watermarked images.",
        needs_trained=True,
    ),
    _metric(
        "positive_flips",
        "count",
        "neither",
        "Number of bits that the PyTorch reference reads wrong and the file right, over all watermarked images.",
        needs_trained=True,
    ),
    _metric(
        "neutral_flips",
        "count",
        "lower",
        "Number of bits decided otherwise than by the PyTorch reference on images without a watermark.",
    ),
    _metric(
        "mcnemar_pvalue",
        "probability",
        "higher",
        "McNemar's exact one-sided test of more negative than positive flips; takes flips for independent, which those "
        "of one picture are not.",
        needs_trained=True,
    ),
    _metric(
        "bits_at_risk_pct",
        "%",
        "lower",
        "Share of bits whose reference logit is smaller in magnitude than the 99th percentile of this file's errors.",
    ),
    _metric("tied_bits", "count", "lower", "Number of bit logits that are exactly zero, over all images."),
    _metric("bit_agreement", "fraction", "higher", "Share of bits equal to the PyTorch reference's own bits."),
    _metric("logits_mae", "logit", "lower", "Mean absolute difference of the bit logits to the reference."),
    _metric("logits_rmse", "logit", "lower", "Root mean square difference of the bit logits to the reference."),
    _metric("logits_max_abs", "logit", "lower", "Largest absolute difference of a bit logit to the reference."),
    _metric(
        "litert_max_abs_diff",
        "logit",
        "lower",
        "Largest absolute difference of a logit to what LiteRT gives for the same file and image.",
    ),
    _metric("logits_mae_rel_pct", "%", "lower", "100 * logits MAE / mean |reference logit|."),
    _metric(
        "snr_db",
        "dB",
        "higher",
        "10 * log10(sum of reference logits squared / sum of squared differences).",
    ),
    _metric(
        "detection_confidence",
        "logit",
        "neither",
        "Mean of output channel 0 over watermarked images, as the model gives it.",
        needs_trained=True,
        needs_channel0=True,
    ),
    _metric(
        "confidence_delta",
        "probability",
        "lower",
        "Mean |sigmoid(channel 0) - sigmoid(channel 0 of the reference)|.",
        needs_channel0=True,
    ),
    _metric(
        "log10_pvalue",
        "log10",
        "lower",
        "Mean over images of log10 of the binomial tail of the matched bits under p = 1/2.",
        needs_trained=True,
    ),
    _metric(
        "tpr_at_fpr_1e-6",
        "fraction",
        "higher",
        "Share of watermarked images accepted at the threshold whose binomial tail is at most 1e-6.",
        needs_trained=True,
    ),
    _metric(
        "false_positive_rate",
        "fraction",
        "lower",
        "Share of unwatermarked images accepted at the threshold, for fixed keys.",
        needs_trained=True,
    ),
    _metric(
        "false_positive_rate_excess",
        "fraction",
        "lower",
        "False positive rate minus the upper end of the 95 % interval of the reference's rate on the same images "
        "(by picture, or exact, whichever reaches further); at most 0 means no more than the reference's.",
        needs_trained=True,
    ),
    _metric(
        "worst_key_false_positive_rate",
        "fraction",
        "lower",
        "Largest share of unwatermarked images that one of the fixed keys accepts at the threshold.",
        needs_trained=True,
    ),
    _metric(
        "null_bit_imbalance",
        "fraction",
        "lower",
        "Mean over the bits of |share of unwatermarked images that set it - 1/2|; n fair coins give 1 / sqrt(2 pi n).",
        needs_trained=True,
    ),
    _metric(
        "null_bit_correlation",
        "fraction",
        "lower",
        "Mean |correlation| of two bits over unwatermarked images; n fair coins give sqrt(2 / (pi n)).",
        needs_trained=True,
    ),
    _metric(
        "null_balance_shift",
        "fraction",
        "lower",
        "Mean over the bits of |share of unwatermarked images that set it - that share of the PyTorch reference|.",
        needs_trained=True,
    ),
    _metric(
        "jpeg_quality_cost",
        "quality points",
        "lower",
        "How much more JPEG quality the file needs than the PyTorch reference for the same bit accuracy, averaged over "
        "the accuracies of the reference's curve: area between the two curves over quality / rise of the reference's.",
        needs_trained=True,
    ),
    _metric("score_mae", "score", "lower", "Mean |score - score of the PyTorch reference|; scores are from 1 to 5."),
    _metric(
        "score_error_pct",
        "%",
        "lower",
        "Mean over frames of 100 * |score - score of the PyTorch reference| / that score.",
    ),
    _metric("score_error_max_pct", "%", "lower", "The largest of these over the frames."),
    _metric(
        "rank_correlation",
        "correlation",
        "higher",
        "Spearman's rank correlation of the scores with the PyTorch reference's, over all frames.",
    ),
    _metric(
        "pair_agreement",
        "fraction",
        "higher",
        "Share of the pairs of frames of one picture or video that are in the PyTorch reference's order.",
    ),
    _metric(
        "feature_error_pct",
        "%",
        "lower",
        "100 * root of the sum of squared errors of the features over that of PyTorch's squared features.",
    ),
    _metric(
        "feature_cosine",
        "correlation",
        "higher",
        "Cosine of the angle between all features and the PyTorch reference's.",
    ),
    _metric("latency_ms", "ms", "lower", "Median time of one inference of one image, after warm-up."),
    _metric("latency_p90_ms", "ms", "lower", "90th percentile of the time of one inference."),
    _metric("latency_p99_ms", "ms", "lower", "99th percentile of the time of one inference."),
    _metric(
        "load_ms",
        "ms",
        "lower",
        "Time from the file to a model that can be called, in a fresh process that has imported the engine.",
    ),
    _metric("first_ms", "ms", "lower", "Time of the first inference of a fresh process."),
    _metric(
        "peak_memory_mb",
        "MB",
        "lower",
        "Most memory resident in a fresh process that loads the model and calls it until it is warm, and does nothing "
        "else; mapped pages of the file count.",
    ),
    _metric(
        "bare_memory_mb",
        "MB",
        "neither",
        "The part of the peak memory that was there before the model: Python, NumPy and the imported engine.",
    ),
    _metric(
        "speedup_vs_torch",
        "x",
        "higher",
        "Latency of the PyTorch reference / latency, both medians from the same interleaved rounds.",
    ),
    _metric(
        "speedup_vs_float32",
        "x",
        "higher",
        "Latency of the float32 file / latency, both medians from the same interleaved rounds.",
    ),
    _metric(
        "speedup_vs_plain",
        "x",
        "higher",
        "Latency of the same file without rewrites / latency, both medians from the same interleaved rounds.",
    ),
    _metric("converted", "count", "higher", "1 where the variant converted at this precision, 0 where it failed."),
    _metric(
        "convert_s",
        "s",
        "lower",
        "Time that making the file took when it was made, without the float32 file it is from.",
    ),
    _metric("psnr_db", "dB", "higher", "PSNR of the watermarked image against the original."),
    _metric("nan_count", "count", "lower", "Number of model outputs that are NaN or infinite, over all images."),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def metric_named(name: str) -> Metric:
    """Look a metric up.

    Args:
        name: A name from METRICS.

    Returns:
        The registry's entry.

    Raises:
        ReportError: The name is unknown; the message lists the known ones.
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
