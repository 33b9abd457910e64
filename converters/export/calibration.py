"""The images that static quantization takes the range of the activations from. Imports no quantizer and no torch."""

import hashlib
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.embedding import embed_pictures
from sealbench.datasets.messages import random_messages
from sealbench.datasets.photographs import photo_samples
from sealbench.datasets.sample import Sample, fingerprint

if TYPE_CHECKING:
    from sealbench.converters.models.watermarker import Watermarker

# More do not help; `docs/quantization-candidates.md` has the measurements.
CALIBRATION_SAMPLES = 8
_MESSAGE_SEED = 2  # not that of the images which are evaluated


def calibration_images(
    watermarker: "Watermarker", nbits: int, size: ImageSize, start: int = 0, stop: int = CALIBRATION_SAMPLES
) -> np.ndarray:
    """Crops of the photographs kept for calibration, each watermarked and plain; never one that is evaluated on.

    A detector is shown both kinds of images, and its activations reach further on either than on the other.

    Args:
        watermarker: its embedder marks the crops; in evaluation mode.
        nbits: length of its messages in bits.
        size: of the images that the file takes.
        start, stop: numbers of the first crop and of the one after the last; a crop depends on its number alone.

    Returns:
        (2 * (stop - start), H, W, 3) float32 in [0, 1], rounded to 8 bits as a file would hold them: all crops
        watermarked, then the same plain.

    Raises:
        DatasetError: a package that carries the photographs is not installed.
    """
    pictures = [sample.image for sample in _samples(size, stop)]
    marked = embed_pictures(watermarker, pictures[start:], _messages(nbits, stop)[start:])
    return np.divide(np.stack([*marked, *pictures[start:]]), np.float32(255), dtype=np.float32)


def calibration_fingerprint(nbits: int, size: ImageSize) -> str:
    """SHA-256 over the crops and the messages of `calibration_images`.

    With the watermarker's weights it says what a file was calibrated on; needs none of them, and no torch.
    """
    digest = hashlib.sha256(fingerprint(_samples(size, CALIBRATION_SAMPLES)).encode())
    digest.update(_messages(nbits, CALIBRATION_SAMPLES).tobytes())
    return digest.hexdigest()


@cache
def _samples(size: ImageSize, count: int) -> tuple[Sample, ...]:
    return tuple(photo_samples("calibration", (size.height, size.width), count))


def _messages(nbits: int, count: int) -> np.ndarray:
    """(count, nbits) uint8 of 0 and 1."""
    return random_messages(count, nbits, _MESSAGE_SEED)
