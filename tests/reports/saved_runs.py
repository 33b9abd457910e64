"""Made-up runs on disk: rows, samples and fingerprints, for what compares saved runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.run.loaded_run import LoadedRun, load_run
from sealbench.reports.run.samples import load_samples
from sealbench.reports.schema.records import Case, Measurement, measurement
from sealbench.reports.schema.tables import BITS, LATENCY
from sealbench.reports.statistics.picture_sums import STATISTICS, bit_sums
from tests.reports.synthetic import NANO, plan_of

ENVIRONMENT: dict[str, Any] = {
    "cpu": "Model T",
    "cpu_model": "family 6",
    "cores": 2,
    "machine": "x86_64",
    "threads": 2,
    "git_commit": "0123456789abcdef",
    "packages": {"ai-edge-litert": "2.3.0", "torch": "2.13.0"},
    "weights": {
        "videoseal_nano": {"kind": "bundled", "fingerprint": "a" * 64},
        "videoseal": {"kind": "seeded", "fingerprint": "b" * 64},
    },
    "samples": {"videoseal_nano": 6, "videoseal": 6},
    "data": {"photographs for videoseal_nano at 256": "c" * 64},
    "preprocessing": {"videoseal_nano": "d" * 64},
}


def saved_run(
    path: Path,
    rows: Sequence[Measurement],
    environment: Mapping[str, Any] = ENVIRONMENT,
    bits: Iterable[Sequence[object]] = (),
    latency: Iterable[Sequence[object]] = (),
    pictures: Iterable[Sequence[object]] = (),
    run_id: str = "20250102-030405-000006",
) -> Path:
    """Write a finished run."""
    run = RunDirectory.open(run_id, path)
    run.write_plan(plan_of(list(rows)))
    run.append([replace(row, run_id=run_id) for row in rows])
    run.append_rows(BITS, bits)
    run.append_rows(LATENCY, latency)
    run.write_images(pictures)
    run.write_environment(environment)
    return path


INT8 = replace(NANO, precision="int8")
NBITS = 32


def bits_of(right: np.ndarray, case: Case = INT8, noise: float = 0.0, attack: str = "none") -> list[tuple[object, ...]]:
    """Rows of bits.csv: of each image and bit whether the file reads it right; PyTorch always does.

    Args:
        right: (images, nbits) bool.
        case: of the file.
        noise: added to every logit.
        attack: of every row.
    """
    rows: list[tuple[object, ...]] = []
    for image in range(len(right)):
        for bit in range(right.shape[1]):
            message = (image + bit) % 2
            reference = 4.0 if message else -4.0
            logit = (reference if right[image, bit] else -reference) + noise
            head = (case.variant, case.precision, case.backend, attack, f"photographs/p{image:03d}")
            rows.append((*head, bit, message, reference, logit, case.image_size, case.rewrites, case.preprocess))
    return rows


def pictures_of(images: int, pictures: int) -> list[tuple[str, str, str]]:
    """Rows of images.csv: images take turns through the pictures."""
    return [("photographs", f"p{image:03d}", f"picture{image % pictures}") for image in range(images)]


def run_of_bits(
    path: Path,
    right: np.ndarray,
    pictures: int = 8,
    noise: float = 0.0,
    metrics: Sequence[str] = ("bit_accuracy", "bit_agreement", "word_accuracy", "logits_mae"),
) -> LoadedRun:
    """A run whose results are what its bits give."""
    rows = bits_of(right, noise=noise)
    saved_run(path, [], bits=rows)
    sums = bit_sums(load_samples(path, BITS), {})
    measured = [
        measurement("r", INT8, "photographs", "none", name, float(STATISTICS[name].of(*parts)), len(right))
        for name in metrics
        for parts in [[sums[part].sum() for part in STATISTICS[name].sums]]
    ]
    saved_run(path, measured, bits=rows, pictures=pictures_of(len(right), pictures))
    return load_run(path)
