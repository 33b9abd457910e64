"""Why a metric has no gate where it has none: what is measured and never judged, with the reason.

Cheap to import: plain Python only. `gates.toml` says what is judged; between them they answer for every variant,
precision and metric, which `tests/test_gate_coverage.py` keeps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from sealbench.reports.schema.records import Case

COARSE = ("int8_static", "int4*")
FILES = ("litert", "tensorflow")


@dataclass(frozen=True)
class Ungated:
    """Metrics that no gate of ours judges in some cases.

    Attributes:
        metrics: Shell patterns for their names.
        where: For fields of Case shell patterns, one of which must match; a field left out matches all.
        reason: Why there is no limit, for people.
    """

    metrics: tuple[str, ...]
    where: Mapping[str, tuple[str, ...]] = field(hash=False)
    reason: str

    def matches(self, metric: str, case: Case) -> bool:
        """Whether this is said of a metric of a case."""
        return _fits(metric, self.metrics) and all(_fits(getattr(case, key), some) for key, some in self.where.items())


UNGATED = (
    Ungated(
        ("litert_max_abs_diff",),
        {},
        "It compares two interpreters on one file: a difference is no fault of the file.",
    ),
    Ungated(
        ("*",),
        {"backend": ("tensorflow",)},
        "A second opinion on LiteRT's kernels, shown beside what is judged.",
    ),
    # --- never judged ---
    Ungated(
        ("latency_ms", "latency_p90_ms", "latency_p99_ms", "convert_s"),
        {},
        "An absolute time belongs to one machine and one moment; ratios within a run are judged.",
    ),
    Ungated(
        ("load_ms", "first_ms", "peak_memory_mb", "bare_memory_mb"),
        {},
        "Taken once of a fresh process, on one machine: they are for the one who chooses, not for a limit.",
    ),
    Ungated(
        ("jpeg_quality_cost",),
        {},
        "It sums up what the gates on bits after JPEG judge one by one.",
    ),
    Ungated(
        ("speedup_vs_plain",),
        {},
        "It says whether a rewrite pays, not whether the file may ship.",
    ),
    Ungated(
        ("quantize_operations", "xnnpack_partitions", "delegated_operation_pct"),
        {},
        "They explain a speed, which is judged itself.",
    ),
    Ungated(
        ("logits_mae", "logits_rmse", "logits_max_abs", "snr_db"),
        {},
        "Logits have another scale in every model; logits_mae_rel_pct is judged, which has none.",
    ),
    Ungated(
        ("word_accuracy", "log10_pvalue", "tpr_at_fpr_1e-6", "negative_flips", "positive_flips", "mcnemar_pvalue"),
        {},
        "It follows from the bits, which are judged by bit_accuracy_delta and bit_accuracy_ratio_pct.",
    ),
    Ungated(
        ("bits_at_risk_pct", "neutral_flips"),
        {},
        "It warns of bits that may flip; those that did are judged.",
    ),
    Ungated(
        ("detection_confidence",),
        {},
        "It is what the model says, neither good nor bad; its difference to the reference is judged.",
    ),
    Ungated(
        ("false_positive_rate", "worst_key_false_positive_rate", "null_bit_imbalance", "null_bit_correlation"),
        {},
        "It is mostly the reference's own; what a file adds is judged: false_positive_rate_excess, null_balance_shift.",
    ),
    Ungated(
        ("psnr_db",),
        {},
        "How visible the watermark is has to do with the embedder, which no precision of a detector changes.",
    ),
    Ungated(
        ("score_mae", "pair_agreement"),
        {},
        "score_error_pct and rank_correlation are judged, which say the same of all frames.",
    ),
    Ungated(
        ("feature_cosine",),
        {},
        "It is insensitive: near 1 where feature_error_pct is several percent.",
    ),
    # --- judged elsewhere ---
    Ungated(
        ("bit_accuracy",),
        {"backend": FILES},
        "What a file loses is judged, by bit_accuracy_delta and bit_accuracy_ratio_pct.",
    ),
    Ungated(
        ("bit_accuracy",),
        {"backend": ("torch",), "weights": ("file", "official")},
        "How well a user's weights read is not for us to say; a file is judged by what it loses against them.",
    ),
    Ungated(
        ("bit_agreement",),
        {"precision": COARSE, "weights": ("file", "official", "seeded")},
        "The limit is known for the bundled weights alone; on others the loss of accuracy is judged.",
    ),
    Ungated(
        ("logits_mae_rel_pct",),
        {"precision": COARSE},
        "Coarse files err by percents and read the bits all the same: the bits are judged.",
    ),
    Ungated(
        ("tied_bits", "confidence_delta"),
        {"weights": ("seeded",)},
        "What untrained weights say of a bit or of a watermark is decided by nothing.",
    ),
    Ungated(
        ("tied_bits", "bit_accuracy_ratio_pct", "null_balance_shift"),
        {"weights": ("official",)},
        "The limits were measured on the bundled weights, the published ones were not at hand; give them as a file.",
    ),
    Ungated(
        ("quantized_weight_pct", "size_reduction_pct", "speedup_vs_float32"),
        {"precision": ("float32",)},
        "It is what the others are compared with.",
    ),
    Ungated(
        ("int4_weight_pct",),
        {"precision": ("float32", "fp16", "int8*")},
        "Nothing of it is promised at 4 bits.",
    ),
    Ungated(
        ("int4_weight_pct",),
        {"variant": ("uvq1p5*",), "precision": ("int4*",)},
        "How much of UVQ has to stay above 4 bits was not measured.",
    ),
    Ungated(
        ("size_bytes",),
        {"variant": ("videoseal*", "pixelseal", "chunkyseal")},
        "size_reduction_pct is judged, which a change of the network does not touch.",
    ),
    Ungated(
        ("size_bytes", "size_reduction_pct"),
        {"variant": ("uvq1p5*",)},
        "int8 is judged by its bytes, against the published files; of other precisions none are published.",
    ),
    Ungated(
        ("size_reduction_pct",),
        {"mode": ("resize",)},
        "The matrices that resize inside stay float32, whatever the precision.",
    ),
    Ungated(
        ("size_reduction_pct",),
        {"mode": ("simple",)},
        "No size was promised for it; quantized_weight_pct and int4_weight_pct see that the weights are small.",
    ),
    Ungated(
        ("speedup_vs_torch", "speedup_vs_float32"),
        {"precision": ("float32", "fp16", "int8_weight_only", "int4_weight_only")},
        "It computes in float32: a smaller file is what it is for.",
    ),
    Ungated(
        ("speedup_vs_torch", "speedup_vs_float32"),
        {"precision": COARSE},
        "int8 is the fast one that is promised; what this one gains depends on the kernels of the machine.",
    ),
    Ungated(
        ("speedup_vs_torch", "speedup_vs_float32"),
        {"variant": ("uvq1p5*",)},
        "No speed was promised for quality models.",
    ),
    Ungated(
        ("score_error_pct", "score_error_max_pct", "rank_correlation"),
        {"weights": ("seeded",)},
        "Scores of untrained weights are nearly alike, so that their order and errors say little.",
    ),
    Ungated(
        ("score_error_pct", "score_error_max_pct", "rank_correlation"),
        {"precision": ("float32", "fp16", "int8_weight_only", *COARSE)},
        "int8 is what was published and promised; float32 is judged by its worst frame.",
    ),
    Ungated(
        ("feature_error_pct",),
        {"precision": ("fp16", "int8*", "int4*")},
        "What errors of features come to is judged by the score that is made from them.",
    ),
)


def reason_ungated(metric: str, case: Case) -> str | None:
    """Say why a metric of a case has no gate of ours.

    Args:
        metric: A known metric's name.
        case: What is measured.

    Returns:
        One sentence, the first that fits, or None where nothing is said: then `gates.toml` should have a gate.
    """
    return next((entry.reason for entry in UNGATED if entry.matches(metric, case)), None)


def _fits(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
