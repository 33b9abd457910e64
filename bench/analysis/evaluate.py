"""`sealbench evaluate`: the quality of a watermark model on photographs it was not trained on.

Watermarked images are rounded to 8 bits before anything else, as a file would be. Every interval resamples source
photographs, not crops: crops of one photograph are not independent.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import mannwhitneyu

from sealbench.converters.embedding import embed_pictures
from sealbench.converters.models.watermarker import Watermarker
from sealbench.datasets.attacks import TRAINING_TABLE, apply_attack
from sealbench.datasets.dead_leaves import dead_leaves
from sealbench.datasets.messages import random_messages
from sealbench.datasets.photographs import photo_samples
from sealbench.reports.files import write_atomically, write_rows_csv
from sealbench.reports.statistics.bits import correct_bits, matched_bits, psnr_db, threshold_bits
from sealbench.reports.statistics.intervals import clustered_mean_interval
from sealbench.reports.statistics.null_check import bit_correlations, shares_of_ones

_BATCH = 4
_FIXED_KEYS = 1000
_FALSE_POSITIVE_RATE = 1e-3


@dataclass(frozen=True)
class AttackRow:
    """Quality under one attack.

    Attributes:
        attack: as `sealbench.datasets.attacks` spells it.
        images: how many watermarked images.
        bit_accuracy: share of right bits, with its 95 % interval from `bit_low` to `bit_high`.
        worst_bit_accuracy: of the bit that is least often right; the mean hides a bit that was never learned.
        word_accuracy: share of images with every bit right.
        confidence_auc: chance that channel 0 is higher on a watermarked image than on one without, both attacked.
        confidence_accuracy: share of both kinds whose channel 0 has the right sign.
    """

    attack: str
    images: int
    bit_accuracy: float
    bit_low: float
    bit_high: float
    worst_bit_accuracy: float
    word_accuracy: float
    confidence_auc: float
    confidence_accuracy: float


@dataclass(frozen=True)
class NullRow:
    """What the bits do where there is no watermark, and what that means for fixed keys.

    Attributes:
        images: photographs' crops or generated images.
        number: how many.
        set_share_low, set_share_high: the least and the most often set bit.
        correlation_mean, correlation_max: of two bits, absolute, over pairs.
        variance_ratio_worst: variance over images of the matched bits, for the key where it is largest, over that of
            the binomial. Its mean over keys says nothing: random keys average correlations away.
        nominal_threshold: matched bits that binomial(nbits, 1/2) reaches with a chance of at most 1e-3.
        nominal_rate, nominal_rate_worst: measured share of images at that threshold: mean over keys, and the key with
            the highest.
        safe_threshold: matched bits that keep the mean rate over keys at 1e-3.
        safe_threshold_99: matched bits that keep it for 99 of 100 keys.
    """

    images: str
    number: int
    set_share_low: float
    set_share_high: float
    correlation_mean: float
    correlation_max: float
    variance_ratio_worst: float
    nominal_threshold: int
    nominal_rate: float
    nominal_rate_worst: float
    safe_threshold: int
    safe_threshold_99: int


@dataclass(frozen=True)
class Evaluation:
    """All that the command reports.

    Attributes:
        psnr_db: mean over images, of the whole RGB image after rounding, with the lowest image in `psnr_low_db`.
        attacks: one row each.
        nulls: one row for photographs and one for generated images.
    """

    psnr_db: float
    psnr_low_db: float
    attacks: tuple[AttackRow, ...]
    nulls: tuple[NullRow, ...]


def evaluate(
    watermarker: Watermarker,
    nbits: int,
    *,
    images: int = 96,
    null_images: int = 300,
    attacks: Sequence[str] = TRAINING_TABLE,
    seed: int = 1,
) -> Evaluation:
    """Measure a model on evaluation photographs and fresh messages.

    Args:
        watermarker: in evaluation mode.
        nbits: its message length.
        images: watermarked crops, from all photographs in turn; at least 2.
        null_images: images without a watermark, of each kind, for the null.
        attacks: as `sealbench.datasets.attacks` spells them.
        seed: of crops, messages and attacks.

    Raises:
        sealbench.datasets.errors.DatasetError: an unknown attack, or a photograph that is not installed.
    """
    side = watermarker.image_size
    samples = photo_samples("evaluation", (side, side), images, seed)
    sources = np.array([sample.source for sample in samples])
    covers = np.stack([sample.image for sample in samples])  # (N, S, S, 3) uint8
    messages = random_messages(images, nbits, seed)  # (N, nbits)
    marked = np.stack(embed_pictures(watermarker, covers, messages))  # (N, S, S, 3) uint8
    psnr = np.array([psnr_db(*pair) for pair in zip(marked, covers, strict=True)])  # (N,)
    rows = []
    for attack in attacks:
        logits = detect(watermarker, _attacked(marked, attack, seed))  # (N, 1 + nbits)
        unmarked = detect(watermarker, _attacked(covers, attack, seed))
        rows.append(attack_row(attack, logits, unmarked, messages, sources))
    generated = np.stack([dead_leaves(side, side, 10_000 * seed + index) for index in range(null_images)])
    photographs = photo_samples("evaluation", (side, side), null_images, seed + 1)
    nulls = (
        null_row("photographs", detect(watermarker, np.stack([sample.image for sample in photographs]))[:, 1:]),
        null_row("generated", detect(watermarker, generated)[:, 1:]),
    )
    return Evaluation(float(psnr.mean()), float(psnr.min()), tuple(rows), nulls)


@torch.no_grad()
def detect(watermarker: Watermarker, images: np.ndarray) -> np.ndarray:
    """Logits (N, 1 + nbits) of images (N, H, W, 3) uint8."""
    parts = [
        watermarker.detect(_to_tensor(images[first : first + _BATCH])).numpy()
        for first in range(0, len(images), _BATCH)
    ]
    return np.concatenate(parts)


def _to_tensor(images: np.ndarray) -> torch.Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float32 in [0, 1]."""
    planes = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return planes.contiguous(memory_format=torch.channels_last)


def _attacked(images: np.ndarray, attack: str, seed: int) -> np.ndarray:
    return np.stack([apply_attack(image, attack, (seed, index)) for index, image in enumerate(images)])


def attack_row(
    attack: str, logits: np.ndarray, unmarked: np.ndarray, messages: np.ndarray, sources: np.ndarray
) -> AttackRow:
    """Judge what was read under one attack.

    Args:
        attack: its name.
        logits: (N, 1 + nbits) of watermarked images.
        unmarked: (N, 1 + nbits) of the same images without a watermark.
        messages: (N, nbits), 0 or 1.
        sources: (N,) the photograph of each image, two at least.
    """
    right = correct_bits(logits[:, 1:], messages)  # (N, nbits)
    interval = clustered_mean_interval(right, sources)
    assert interval is not None, "a single photograph says nothing of others"
    yes, no = logits[:, 0], unmarked[:, 0]
    return AttackRow(
        attack=attack,
        images=len(right),
        bit_accuracy=float(right.mean()),
        bit_low=interval.low,
        bit_high=interval.high,
        worst_bit_accuracy=float(right.mean(axis=0).min()),
        word_accuracy=float(right.all(axis=1).mean()),
        confidence_auc=area_under_curve(yes, no),
        confidence_accuracy=float(np.concatenate([yes > 0, no <= 0]).mean()),
    )


def area_under_curve(positive: np.ndarray, negative: np.ndarray) -> float:
    """Chance that a value of positive (P,) is above one of negative (Q,), ties counting half."""
    wins = mannwhitneyu(positive, negative, method="asymptotic").statistic  # of the P * Q pairs
    return float(wins / (len(positive) * len(negative)))


def null_row(kind: str, logits: np.ndarray, seed: int = 0) -> NullRow:
    """Judge bit logits (N, nbits) of images without a watermark against many fixed random keys."""
    number, nbits = logits.shape
    share = shares_of_ones(logits)  # (nbits,)
    correlations = bit_correlations(logits)  # (pairs,)
    matched = matched_bits(logits, random_messages(_FIXED_KEYS, nbits, seed))  # (N, K)
    nominal = threshold_bits(nbits, _FALSE_POSITIVE_RATE)
    rates = np.stack([(matched >= threshold).mean(axis=0) for threshold in range(nbits + 2)])  # (nbits + 2, K)
    return NullRow(
        images=kind,
        number=number,
        set_share_low=float(share.min()),
        set_share_high=float(share.max()),
        correlation_mean=float(correlations.mean()),
        correlation_max=float(correlations.max()),
        variance_ratio_worst=float(matched.var(axis=0).max() / (nbits / 4)),
        nominal_threshold=nominal,
        nominal_rate=float(rates[nominal].mean()),
        nominal_rate_worst=float(rates[nominal].max()),
        safe_threshold=int(np.argmax(rates.mean(axis=1) <= _FALSE_POSITIVE_RATE)),
        safe_threshold_99=int(np.argmax(np.quantile(rates, 0.99, axis=1) <= _FALSE_POSITIVE_RATE)),
    )


def as_markdown(result: Evaluation) -> str:
    """The tables of an evaluation."""
    lines = [
        f"PSNR {result.psnr_db:.2f} dB (mean over images; lowest {result.psnr_low_db:.2f} dB)",
        "",
        "| attack | bit accuracy, % | 95 % interval | worst bit, % | all bits right, % | confidence AUC "
        "| confidence accuracy, % |",
        "| --- |" + " --- |" * 6,
    ]
    lines += [
        f"| {row.attack} | {100 * row.bit_accuracy:.2f} | {100 * row.bit_low:.2f} to {100 * row.bit_high:.2f} "
        f"| {100 * row.worst_bit_accuracy:.1f} | {100 * row.word_accuracy:.1f} | {row.confidence_auc:.4f} "
        f"| {100 * row.confidence_accuracy:.1f} |"
        for row in result.attacks
    ]
    lines += ["", "| on images without a watermark | " + " | ".join(row.images for row in result.nulls) + " |"]
    lines.append("| --- |" + " --- |" * len(result.nulls))
    facts = (
        ("images", "number", "d"),
        ("least often set bit", "set_share_low", ".3f"),
        ("most often set bit", "set_share_high", ".3f"),
        ("correlation of two bits, mean absolute", "correlation_mean", ".3f"),
        ("correlation of two bits, largest absolute", "correlation_max", ".3f"),
        ("variance of matched bits over the binomial's, worst fixed key", "variance_ratio_worst", ".2f"),
        ("matched bits for a false positive rate of 1e-3 by the binomial", "nominal_threshold", "d"),
        ("rate measured there, mean over fixed keys", "nominal_rate", ".5f"),
        ("rate measured there, worst fixed key", "nominal_rate_worst", ".5f"),
        ("matched bits that keep 1e-3 as the mean over fixed keys", "safe_threshold", "d"),
        ("matched bits that keep 1e-3 for 99 of 100 fixed keys", "safe_threshold_99", "d"),
    )
    for text, name, form in facts:
        values = " | ".join(format(getattr(row, name), form) for row in result.nulls)
        lines.append(f"| {text} | {values} |")
    return "\n".join(lines) + "\n"


def write(result: Evaluation, folder: Path) -> None:
    """Write evaluation.md, attacks.csv and null.csv into a folder that is there.

    Raises:
        ReportError: a file cannot be written.
    """
    write_atomically(folder / "evaluation.md", as_markdown(result))
    for name, rows in (("attacks.csv", result.attacks), ("null.csv", result.nulls)):
        write_rows_csv([asdict(row) for row in rows], folder / name)
