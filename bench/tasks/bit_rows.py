"""Outputs of a target as rows of samples/bits.csv, and back."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sealbench.bench.tasks.image_set import ImageLabels, Outputs
from sealbench.reports.schema.records import NO_ATTACK, Case
from sealbench.reports.schema.tables import CONFIDENCE_BIT, PLAIN_SUFFIX, SAMPLE_CASE_COLUMNS


def bit_rows(
    case: Case, images: ImageLabels, attack: str, outputs: Outputs, reference: Outputs
) -> list[tuple[object, ...]]:
    """Rows of bits.csv: watermarked images with their message, then plain ones, which have none."""
    head = (case.variant, case.precision, case.backend, attack)
    tail = (case.image_size, case.rewrites, case.preprocess)
    rows: list[tuple[object, ...]] = []

    def add(suffix: str, messages: np.ndarray | None, logits: np.ndarray, reference_logits: np.ndarray) -> None:
        for index, sample in enumerate(_names(images, suffix)):
            for channel, (expected, found) in enumerate(zip(reference_logits[index], logits[index], strict=True)):
                bit = channel - 1
                message = None if messages is None or bit == CONFIDENCE_BIT else int(messages[index, bit])
                rows.append((*head, sample, bit, message, expected, found, *tail))

    add("", images.messages, outputs.watermarked, reference.watermarked)
    if outputs.plain is not None and reference.plain is not None:
        add(PLAIN_SUFFIX, None, outputs.plain, reference.plain)
    return rows


def recorded_outputs(bits: pd.DataFrame, case: Case, images: ImageLabels, attack: str) -> Outputs | None:
    """The outputs that an interrupted run has recorded of a case, to the last digit.

    Args:
        bits: what `sealbench.reports.run.samples.load_samples` returns for BITS.
        case: of the target.
        images: that it was run on.
        attack: what had been done to them.

    Returns:
        The outputs, or None if they are not all there.
    """
    mine = bits[bits["attack"] == attack]
    for column in SAMPLE_CASE_COLUMNS:
        mine = mine[mine[column] == getattr(case, column)]
    channels = 1 + images.messages.shape[1]
    found = []
    came_plain = attack == NO_ATTACK and len(images.psnr_db) > 0
    for suffix in ("", PLAIN_SUFFIX) if came_plain else ("",):
        samples = _names(images, suffix)
        rows = mine[mine["sample"].isin(samples)]
        if list(rows["sample"]) != [sample for sample in samples for _ in range(channels)]:
            return None
        found.append(rows["logit"].to_numpy(np.float32).reshape(len(samples), channels))
    return Outputs(found[0], found[1] if len(found) > 1 else None)


def _names(images: ImageLabels, suffix: str) -> Sequence[str]:
    """The column `sample` of an image set, one name an image."""
    return [f"{images.name}/{name}{suffix}" for name in images.ids]
