"""What a file holds: its size, its number types, its weights. One entry each."""

from sealbench.reports.schema.metric import Headline, Metric

_EXPLAINS_SPEED = "It explains a speed, which is judged itself."

FILE_METRICS = (
    Metric(
        "size_bytes",
        "bytes",
        "lower",
        "Size of the model file.",
        headline=Headline(0, "size", "size\nMB"),
        plots=("accuracy_vs_size", "size_by_precision"),
    ),
    Metric(
        "size_reduction_pct",
        "%",
        "higher",
        "How much smaller the file is than float32 of the same variant, image size and mode: "
        "100 * (1 - size / float32 size).",
        headline=Headline(1, "smaller", "smaller\n%", "smaller than float32"),
        plots=("size_by_precision",),
    ),
    Metric(
        "quantized_weight_pct",
        "%",
        "neither",
        "Share of the file's weights stored below 32 bits; read from its tensors, not its name.",
    ),
    Metric("int4_weight_pct", "%", "neither", "Share of the file's weights stored at 4 bits; read from its tensors."),
    Metric(
        "quantize_operations",
        "count",
        "neither",
        "Number of QUANTIZE and DEQUANTIZE operations: changes of the number type while the model runs.",
        no_gate=_EXPLAINS_SPEED,
    ),
    Metric(
        "xnnpack_partitions",
        "count",
        "lower",
        "Parts of the graph that XNNPACK runs; 0 where it takes nothing.",
        no_gate=_EXPLAINS_SPEED,
    ),
    Metric(
        "delegated_operation_pct",
        "%",
        "higher",
        "Share of the file's operations that XNNPACK runs.",
        no_gate=_EXPLAINS_SPEED,
    ),
    Metric(
        "weight_slope_error",
        "fraction",
        "lower",
        "Largest |slope - 1| over the layers, slope of the dequantized weights on PyTorch's by least squares.",
    ),
    Metric(
        "weight_channel_slope_error",
        "fraction",
        "lower",
        "Largest |slope - 1| over the single output channels of all layers.",
    ),
    Metric(
        "unmatched_weight_pct",
        "%",
        "lower",
        "Share of the weights stored below 32 bits that resemble none of PyTorch's of their shape.",
    ),
)
