"""A made-up run: a trained nano model and a seeded full-size one."""

import math
from dataclasses import replace

import numpy as np

from sealbench.reports.schema.records import Case, Expectation, Measurement, measurement
from sealbench.reports.schema.tables import BITS

RUN_ID = "20250102-030405-000006"
NANO = Case("videoseal_nano", "bundled", "float32", "256", "simple", "litert", 2)
FULL = Case("videoseal", "seeded", "float32", "256", "simple", "litert", 2)
PRECISIONS = ("float32", "fp16", "int8", "int8_weight_only")
IMAGE_METRICS = ("bit_accuracy", "bit_agreement", "logits_mae_rel_pct", "nan_count")

# precision: MB, ms, agreement, MAE in % of the mean logit, bit accuracy
_NANO = {
    "float32": (11.34, 21.0, 1.0, 1e-4, 0.9931),
    "fp16": (5.72, 20.6, 1.0, 0.03, 0.9931),
    "int8": (3.17, 12.1, 0.9990, 0.76, 0.9927),
    "int8_weight_only": (3.18, 21.9, 0.9998, 0.46, 0.9930),
}
_FULL = {
    "float32": (133.39, 71.2, 1.0, 1e-4, 0.5),
    "fp16": (66.9, 70.4, 1.0, 0.04, 0.5),
    "int8": (34.1, 30.3, 0.9972, 1.9, 0.5),
    "int8_weight_only": (34.1, 72.8, 0.9990, 0.8, 0.5),
}
_TORCH_MS = {NANO: 34.0, FULL: 123.0}


def torch_of(case: Case) -> Case:
    return replace(case, precision="float32", backend="torch")


def _row(case: Case, metric: str, value: float, n: int = 1, spread: float | None = None) -> Measurement:
    dataset = (
        "" if metric.startswith(("converted", "size", "quantized", "latency", "speedup", "load")) else "photographs"
    )
    ci = None if spread is None else (value - spread, value + spread)
    return measurement(RUN_ID, case, dataset, "none", metric, value, n, ci)


def _model_rows(base: Case, numbers: dict[str, tuple[float, float, float, float, float]]) -> list[Measurement]:
    torch_ms, accuracy = _TORCH_MS[base], numbers["float32"][4]
    reference = torch_of(base)
    rows = [
        _row(reference, "latency_ms", torch_ms, 40, 0.03 * torch_ms),
        _row(reference, "latency_p90_ms", 1.18 * torch_ms, 40),
        _row(reference, "bit_accuracy", accuracy, 3072, 0.003),
        _row(reference, "nan_count", 0, 12),
    ]
    float32_megabytes, float32_ms = numbers["float32"][:2]
    for precision, (megabytes, milliseconds, agreement, error, own_accuracy) in numbers.items():
        case = replace(base, precision=precision)
        rows += [
            _row(case, "converted", 1),
            _row(case, "size_bytes", 1e6 * megabytes),
            _row(case, "size_reduction_pct", 100 * (1 - megabytes / float32_megabytes)),
            _row(case, "quantized_weight_pct", 0.0 if precision == "float32" else 97.3),
            _row(case, "latency_ms", milliseconds, 40, 0.02 * milliseconds),
            _row(case, "latency_p90_ms", 1.15 * milliseconds, 40),
            _row(case, "latency_p99_ms", 1.5 * milliseconds, 40),
            _row(case, "speedup_vs_torch", torch_ms / milliseconds, 40, 0.05),
            _row(case, "speedup_vs_float32", float32_ms / milliseconds, 40, 0.05),
            _row(case, "bit_agreement", agreement, 3072, min(0.0006, 1 - agreement)),
            _row(case, "bit_accuracy", own_accuracy, 3072, 0.003),
            _row(case, "bit_accuracy_delta", 100 * (own_accuracy - accuracy), 3072),
            _row(case, "bit_accuracy_ratio_pct", 100 * own_accuracy / accuracy, 3072, 0.4),
            _row(case, "tied_bits", 0, 24),
            _row(case, "null_balance_shift", error / 100, 12),
            _row(case, "logits_mae_rel_pct", error, 3072),
            _row(case, "confidence_delta", error / 1000, 12),
            _row(case, "false_positive_rate_excess", -0.1, 12),
            _row(case, "nan_count", 0, 12),
        ]
        if precision != "float32":
            rows += _weight_rows(case, slope_error=0.0002, channel_error=0.004)
    return rows


def _weight_rows(case: Case, slope_error: float, channel_error: float) -> list[Measurement]:
    return [
        replace(_row(case, metric, value, 42), dataset="")
        for metric, value in (
            ("weight_slope_error", slope_error),
            ("weight_channel_slope_error", channel_error),
            ("unmatched_weight_pct", 0.0),
        )
    ]


def other_rows() -> list[Measurement]:
    """Of the other precisions and variants what the gates that are theirs alone judge."""
    int4 = replace(NANO, precision="int4")
    vit = replace(FULL, variant="videoseal_0.0", precision="int8")
    chunky = replace(FULL, variant="chunkyseal", precision="int8")
    return [
        replace(_row(int4, "int4_weight_pct", 96.1), dataset=""),
        *_weight_rows(int4, slope_error=0.0063, channel_error=0.047),
        _row(int4, "bit_agreement", 0.9974, 3072, 0.001),
        _row(int4, "null_balance_shift", 0.0625, 24),
        replace(_row(int4, "bit_accuracy_ratio_pct", 98.8, 24, 1.0), attack="jpeg:50"),
        _row(replace(FULL, precision="int4"), "size_reduction_pct", 86.1),
        _row(vit, "speedup_vs_float32", 2.69, 40, 0.05),
        _row(chunky, "size_reduction_pct", 74.7),
        _row(chunky, "speedup_vs_float32", 3.4, 40, 0.1),
    ]


def attack_rows() -> list[Measurement]:
    """Both models under three qualities of JPEG and a flip: fp16 and int8 of the nano model lose a little."""
    rows: list[Measurement] = []
    for base, numbers in ((NANO, _NANO), (FULL, _FULL)):
        for index, attack in enumerate(("jpeg:90", "jpeg:70", "jpeg:50", "flip")):
            accuracy = 0.98 - 0.05 * index
            found = [_row(torch_of(base), "bit_accuracy", accuracy, 24, 0.01)]
            for precision, (_, _, agreement, _, _) in numbers.items():
                case = replace(base, precision=precision)
                lost = 100 * (1 - agreement) * (1 + index)
                found += [
                    _row(case, "bit_accuracy", accuracy - lost / 100, 24, 0.01),
                    _row(case, "bit_accuracy_delta", -lost, 24, 0.1),
                    _row(case, "bit_accuracy_ratio_pct", 100 - lost / accuracy, 24, 0.2),
                    _row(case, "bit_agreement", 1 - lost / 100, 24, 0.0005),
                    _row(case, "nan_count", 0, 24),
                ]
            rows += [replace(row, attack=attack) for row in found]
        rows += [_row(replace(base, precision="int8"), "jpeg_quality_cost", 0.31, 24, 0.5)]
        rows += [_row(replace(base, precision="int8_weight_only"), "jpeg_quality_cost", 0.9, 24, 0.5)]
    return rows


def healthy_rows() -> list[Measurement]:
    """Both models, four precisions, everything within the default gates."""
    return _model_rows(NANO, _NANO) + _model_rows(FULL, _FULL)


def plan_of(rows: list[Measurement]) -> list[Expectation]:
    return [row.expectation for row in rows]


def altered(
    rows: list[Measurement], variant: str, precision: str, metric: str, **changes: float | None
) -> list[Measurement]:
    """Change one measurement of a file."""
    wanted = (variant, precision, metric, "litert")
    chosen = [row for row in rows if (row.case.variant, row.case.precision, row.metric, row.case.backend) == wanted]
    assert len(chosen) == 1
    return [replace(row, **changes) if row is chosen[0] else row for row in rows]  # type: ignore[arg-type]


def without(rows: list[Measurement], variant: str, precision: str, *metrics: str) -> list[Measurement]:
    return [
        row
        for row in rows
        if (row.case.variant, row.case.precision, row.case.backend) != (variant, precision, "litert")
        or row.metric not in metrics
    ]


def bit_rows(images: int = 6, seed: int = 5) -> list[tuple[object, ...]]:
    """Logits whose error has the size that the made-up measurements say."""
    random = np.random.default_rng(seed)
    rows: list[tuple[object, ...]] = []
    for base, nbits, numbers, scale in ((NANO, 32, _NANO, 4.0), (FULL, 256, _FULL, 0.3)):
        for picture in range(images):
            message = random.integers(0, 2, nbits)
            reference = scale * (2 * message - 1 + 0.5 * random.normal(size=nbits))
            if base.weights == "seeded":
                reference = scale * random.normal(size=nbits)
            for precision, (_, _, _, error, _) in numbers.items():
                noise = random.normal(size=nbits) * scale * error / 100 * math.sqrt(math.pi / 2)
                logits = (reference + noise).astype(np.float32)
                rows += [
                    (
                        base.variant,
                        precision,
                        "litert",
                        "none",
                        f"photo{picture}.png",
                        bit,
                        int(message[bit]),
                        float(reference[bit]),
                        logits[bit],
                        "256",
                        "none",
                        "upstream",
                    )
                    for bit in range(nbits)
                ]
    assert len(rows[0]) == len(BITS.names)
    return rows


def quality_rows() -> list[Measurement]:
    """A quality model with weights from a file, as its gates want it, and one of its networks."""
    chain = Case("uvq1p5", "file", "float32", "1080x1920", "simple", "litert", 2)
    rows = []
    for precision, megabytes, error in (("float32", 30.81, 1e-4), ("int8", 8.20, 0.4)):
        case = replace(chain, precision=precision)
        rows += [
            _row(case, "size_bytes", 1e6 * megabytes),
            _row(case, "quantized_weight_pct", 0.0 if precision == "float32" else 98.0),
            _row(case, "score_error_pct", error, 24),
            _row(case, "score_error_max_pct", 3 * error, 24),
            _row(case, "rank_correlation", 0.998, 24),
        ]
        for part, share in (("content", 0.49), ("aggregation", 0.01)):
            rows.append(_row(replace(case, variant=f"uvq1p5_{part}"), "size_bytes", 1e6 * share * megabytes))
        rows.append(_row(replace(case, variant="uvq1p5_content"), "feature_error_pct", error, 24))
    return rows


def tensor_rows() -> list[Measurement]:
    """A user's network whose files give what PyTorch gives, as exactly as their numbers allow."""
    network = Case("my_network", "own", "float32", "32", "simple", "litert", 2)
    rows = []
    for precision, kilobytes, cosine, top1 in (
        ("float32", 27.0, 1.0, 1.0),
        ("int8", 9.4, 0.9996, 0.985),
        ("int4", 6.2, 0.991, 0.87),
    ):
        case = replace(network, precision=precision)
        rows += [
            _row(case, "size_bytes", 1e3 * kilobytes),
            replace(_row(case, "output_cosine", cosine, 24), dataset="random"),
            replace(_row(case, "top1_agreement", top1, 24, 0.01), dataset="random"),
            replace(_row(case, "nan_count", 0, 24), dataset="random"),
        ]
    return rows
