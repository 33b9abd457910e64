"""A detector beside logits that its publisher's own code gave for the same pictures.

They are taken from an `.npz` file with two arrays: `images` (N, H, W, 3), uint8, or floating point in [0, 1], and
`logits` (N, 1 + nbits), what upstream's `detect` gives for them, channel 0 first.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sealbench.bench.errors import BenchError
from sealbench.converters.models.watermarker import Watermarker

TOLERANCE = 1e-3
"""Largest difference that is let pass, as a share of the mean absolute logit.

Rounding alone gives 2e-6 to 2.4e-5: batches against single pictures, and float32 against float64, six photographs,
`videoseal_nano` (bundled), `videoseal` and `videoseal_0.0` (seeded). Pictures that were resized in 8 bits give 6e-3 to
0.5, without antialiasing 4e-2 to 0.8 (the first two of these). An eps of ten times the size in every LayerNorm is not
seen: it gives 2e-5 to 1.5e-4.
"""


class LogitsError(BenchError):
    """A file of logits that cannot be read, or holds other arrays; the message says what is expected."""


@dataclass(frozen=True)
class LogitsComparison:
    """How far our detector is from the publisher's logits.

    Attributes:
        images: how many.
        largest: largest absolute difference, a share of the mean absolute logit of the publisher.
        worst_image: index of the picture that has it, from 0.
        bits: of all pictures.
        flipped_bits: how many of them are decided otherwise.
    """

    images: int
    largest: float
    worst_image: int
    bits: int
    flipped_bits: int

    def __bool__(self) -> bool:
        return self.largest <= TOLERANCE

    def text(self) -> str:
        """One line for people, with the tolerance."""
        verdict = "agree with upstream's" if self else "DIFFER from upstream's"
        return (
            f"logits:   {verdict} on {self.images} pictures: at most {self.largest:.2g} of the mean absolute logit off "
            f"(tolerance {TOLERANCE:g}; picture {self.worst_image}), {self.flipped_bits} of {self.bits} bits differ"
        )


def read_logits(path: Path, nbits: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and the publisher's logits; nothing in the file is executed.

    Args:
        path: of the `.npz` file.
        nbits: that the model has.

    Returns:
        (N, H, W, 3) float32 in [0, 1] and (N, 1 + nbits) float32.

    Raises:
        LogitsError: it is no such file.
    """
    expected = f"expected an .npz file with images (N, H, W, 3) and logits (N, {1 + nbits})"
    if not zipfile.is_zipfile(path):
        raise LogitsError(f"{path}: {'another kind of file' if path.is_file() else 'no such file'}; {expected}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            images, logits = archive["images"], archive["logits"]
    except KeyError as error:
        raise LogitsError(f"{path}: an array is missing ({error.args[0]}); {expected}") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise LogitsError(f"{path}: cannot be read ({error}); {expected}") from error
    if images.ndim != 4 or images.shape[-1] != 3 or logits.shape != (len(images), 1 + nbits) or not len(images):
        raise LogitsError(f"{path}: found images {images.shape} and logits {logits.shape}; {expected}")
    if not np.issubdtype(logits.dtype, np.floating) or not np.isfinite(logits).all():
        raise LogitsError(f"{path}: found logits of type {logits.dtype}; expected floating point, all of them finite")
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255), logits.astype(np.float32)
    if not np.issubdtype(images.dtype, np.floating) or not (images.min() >= 0 and images.max() <= 1):
        raise LogitsError(f"{path}: found images of type {images.dtype}; expected uint8, or floating point in [0, 1]")
    return images.astype(np.float32), logits.astype(np.float32)


def compare_logits(watermarker: Watermarker, images: np.ndarray, logits: np.ndarray) -> LogitsComparison:
    """Show the pictures to our model, one by one, which resizes them as upstream's does.

    Args:
        watermarker: in evaluation mode.
        images, logits: (N, H, W, 3) and (N, 1 + nbits), see `read_logits`.
    """
    ours = np.empty_like(logits)
    with torch.inference_mode():
        for row, image in zip(ours, images, strict=True):
            row[:] = watermarker.detect(torch.from_numpy(image).permute(2, 0, 1)[None])[0].numpy()
    difference = np.abs(ours - logits)  # (N, 1 + nbits)
    worst = int(np.nan_to_num(difference, nan=np.inf).max(axis=1).argmax())
    flipped = (ours[:, 1:] > 0) != (logits[:, 1:] > 0)
    largest = float(difference.max() / np.abs(logits).mean())
    return LogitsComparison(len(images), largest, worst, flipped.size, int(flipped.sum()))
