"""Why a metric has no gate in some cases: by variant, weights, precision, mode or backend.

Cheap to import: plain Python only. `gates.toml` says what is judged, and a metric that is never judged says why itself
(`Metric.no_gate`). `tests/test_gate_coverage.py` checks that every variant, precision and metric has one of the three.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from sealbench.reports.schema.metrics import metric_named
from sealbench.reports.schema.records import Case

COARSE = ("int8_static", "int4*")
FILES = ("litert", "tensorflow")


@dataclass(frozen=True)
class Exemption:
    """Metrics that have no gate in some cases.

    Attributes:
        metrics: Shell patterns for their names.
        where: For fields of Case shell patterns, one of which must match; a field left out matches all.
        reason: Why there is no limit, for people.
    """

    metrics: tuple[str, ...]
    where: Mapping[str, tuple[str, ...]] = field(hash=False)
    reason: str

    def concerns(self, metric: str) -> bool:
        """Whether this names a metric, in whatever cases."""
        return _fits(metric, self.metrics)

    def matches(self, metric: str, case: Case) -> bool:
        """Whether this holds for a metric of a case."""
        return self.concerns(metric) and all(_fits(getattr(case, key), some) for key, some in self.where.items())


EXEMPTIONS = (
    Exemption(
        ("*",),
        {"backend": ("tensorflow",)},
        "TensorFlow is a second interpreter for comparison; the LiteRT file is judged.",
    ),
    Exemption(
        ("bit_accuracy",),
        {"backend": FILES},
        "What a file loses is judged, by bit_accuracy_delta and bit_accuracy_ratio_pct.",
    ),
    Exemption(
        ("bit_accuracy",),
        {"backend": ("torch",), "weights": ("file", "official")},
        "No limit is known for a user's weights; a file is judged by what it loses against them.",
    ),
    Exemption(
        ("bit_agreement",),
        {"precision": COARSE, "weights": ("file", "official", "seeded")},
        "The limit is known for the bundled weights alone; on others the loss of accuracy is judged.",
    ),
    Exemption(
        ("logits_mae_rel_pct",),
        {"precision": COARSE},
        "Coarse files err by percents and read the bits all the same: the bits are judged.",
    ),
    Exemption(
        ("tied_bits", "confidence_delta"),
        {"weights": ("seeded",)},
        "Untrained weights carry no information on a bit or a watermark.",
    ),
    Exemption(
        ("tied_bits", "bit_accuracy_ratio_pct", "null_balance_shift"),
        {"weights": ("official",)},
        "The limits were measured on the bundled weights, the published ones were not at hand; give them as a file.",
    ),
    Exemption(
        ("quantized_weight_pct", "size_reduction_pct", "speedup_vs_float32"),
        {"precision": ("float32",)},
        "The other precisions are compared with it.",
    ),
    Exemption(
        ("int4_weight_pct",),
        {"precision": ("float32", "fp16", "int8*")},
        "Nothing of it is promised at 4 bits.",
    ),
    Exemption(
        ("int4_weight_pct",),
        {"variant": ("uvq1p5*",), "precision": ("int4*",)},
        "How much of UVQ has to stay above 4 bits was not measured.",
    ),
    Exemption(
        ("size_bytes",),
        {"variant": ("videoseal*", "pixelseal", "chunkyseal")},
        "size_reduction_pct is judged, which a change of the network does not touch.",
    ),
    Exemption(
        ("size_bytes", "size_reduction_pct"),
        {"variant": ("uvq1p5*",)},
        "int8 is judged by its bytes, against the published files; of other precisions none are published.",
    ),
    Exemption(
        ("size_reduction_pct",),
        {"mode": ("resize",)},
        "The matrices that resize inside the file stay float32 at every precision.",
    ),
    Exemption(
        ("size_reduction_pct",),
        {"mode": ("simple",)},
        "No size was promised for it; quantized_weight_pct and int4_weight_pct see that the weights are small.",
    ),
    Exemption(
        ("speedup_vs_torch", "speedup_vs_float32"),
        {"precision": ("float32", "fp16", "int8_weight_only", "int4_weight_only")},
        "It computes in float32: its purpose is a smaller file.",
    ),
    Exemption(
        ("speedup_vs_torch", "speedup_vs_float32"),
        {"precision": COARSE},
        "Speed is promised for int8; the gain of this precision depends on the kernels of the machine.",
    ),
    Exemption(
        ("speedup_vs_torch", "speedup_vs_float32"),
        {"variant": ("uvq1p5*",)},
        "No speed was promised for quality models.",
    ),
    Exemption(
        ("score_error_pct", "score_error_max_pct", "rank_correlation"),
        {"weights": ("seeded",)},
        "Scores of untrained weights are nearly alike, so that their order and errors say little.",
    ),
    Exemption(
        ("score_error_pct", "score_error_max_pct", "rank_correlation"),
        {"precision": ("float32", "fp16", "int8_weight_only", *COARSE)},
        "int8 is what was published and promised; float32 is judged by its worst frame.",
    ),
    Exemption(
        ("feature_error_pct",),
        {"precision": ("fp16", "int8*", "int4*")},
        "Errors of features are judged by the score that is computed from them.",
    ),
    Exemption(
        ("quantized_weight_pct", "int4_weight_pct", "size_bytes", "speedup_vs_torch", "speedup_vs_float32"),
        {"weights": ("own",)},
        "What a model of yours needs is not known here: give a gate for it.",
    ),
)


def reason_without_gate(metric: str, case: Case) -> str | None:
    """Say why a metric of a case has no gate of ours.

    Args:
        metric: A known metric's name.
        case: What is measured.

    Returns:
        One sentence: the metric's own reason, or the first exemption that fits. None where nothing is said: then
        `gates.toml` should have a gate.

    Raises:
        ReportError: The metric is unknown.
    """
    if reason := metric_named(metric).no_gate:
        return reason
    return next((entry.reason for entry in EXEMPTIONS if entry.matches(metric, case)), None)


def _fits(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
