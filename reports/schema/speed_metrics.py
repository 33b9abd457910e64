"""How long a file takes, and how much memory. One entry each."""

from sealbench.reports.schema.metric import ABSOLUTE_TIME, Headline, Metric

_FRESH_PROCESS = "Measured once in a fresh process on one machine: it informs a choice and has no limit."

SPEED_METRICS = (
    Metric(
        "latency_ms",
        "ms",
        "lower",
        "Median time of one inference of one image, after warm-up.",
        headline=Headline(2, "latency", "latency\nms"),
        plots=("accuracy_vs_latency", "latency_by_precision"),
        no_gate=ABSOLUTE_TIME,
    ),
    Metric(
        "latency_p90_ms",
        "ms",
        "lower",
        "90th percentile of the time of one inference.",
        plots=("latency_by_precision",),
        no_gate=ABSOLUTE_TIME,
    ),
    Metric(
        "latency_p99_ms",
        "ms",
        "lower",
        "99th percentile of the time of one inference.",
        no_gate=ABSOLUTE_TIME,
    ),
    Metric(
        "load_ms",
        "ms",
        "lower",
        "Time from the file to a model that can be called, in a fresh process that has imported the engine.",
        no_gate=_FRESH_PROCESS,
    ),
    Metric(
        "first_ms",
        "ms",
        "lower",
        "Time of the first inference of a fresh process.",
        no_gate=_FRESH_PROCESS,
    ),
    Metric(
        "peak_memory_mb",
        "MB",
        "lower",
        "Most memory resident in a fresh process that loads the model and calls it until it is warm, and does nothing "
        "else; mapped pages of the file count.",
        no_gate=_FRESH_PROCESS,
    ),
    Metric(
        "bare_memory_mb",
        "MB",
        "neither",
        "The part of the peak memory that was there before the model: Python, NumPy and the imported engine.",
        no_gate=_FRESH_PROCESS,
    ),
    Metric(
        "speedup_vs_torch",
        "x",
        "higher",
        "Latency of the reference (PyTorch, or the file that a file is compared with) / latency, both medians from the "
        "same interleaved rounds.",
        headline=Headline(3, "vs PyTorch", "x vs\nPyTorch", "as fast as PyTorch"),
        plots=("latency_by_precision",),
    ),
    Metric(
        "speedup_vs_float32",
        "x",
        "higher",
        "Latency of the float32 file / latency, both medians from the same interleaved rounds.",
        headline=Headline(4, "vs float32", "x vs\nfloat32"),
    ),
    Metric(
        "speedup_vs_plain",
        "x",
        "higher",
        "Latency of the same file without rewrites / latency, both medians from the same interleaved rounds.",
        plots=("rewrite_effect",),
        no_gate="It says whether a rewrite pays, not whether the file may ship.",
    ),
)
