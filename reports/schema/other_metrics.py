"""The conversion, the embedder, and outputs that are no numbers. One entry each."""

from sealbench.reports.schema.metric import ABSOLUTE_TIME, WATERMARK_TASK, Metric

OTHER_METRICS = (
    Metric("converted", "count", "higher", "1 where the variant converted at this precision, 0 where it failed."),
    Metric(
        "convert_s",
        "s",
        "lower",
        "Time that making the file took when it was made, without the float32 file it is from.",
        no_gate=ABSOLUTE_TIME,
    ),
    Metric(
        "reproducible",
        "count",
        "higher",
        "1 where another process that converts everything anew makes the same bytes, 0 where it does not.",
        no_gate="It converts everything once more: it is measured only where a gate of yours asks for it.",
    ),
    Metric(
        "psnr_db",
        "dB",
        "higher",
        "PSNR of the watermarked image against the original.",
        task=WATERMARK_TASK,
        no_gate="The embedder decides how visible the watermark is; no precision of a detector changes it.",
    ),
    Metric("nan_count", "count", "lower", "Number of model outputs that are NaN or infinite, over all images."),
)
