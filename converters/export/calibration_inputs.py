"""What static quantization is calibrated on, before a network marks it. Imports no quantizer and no torch."""

import hashlib
from collections.abc import Sequence
from functools import cache

import numpy as np

from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.models.uvq.shapes import FRAME
from sealbench.datasets.distortions import mixed_samples
from sealbench.datasets.messages import random_messages
from sealbench.datasets.photographs import photo_samples
from sealbench.datasets.sample import Sample, fingerprint

CalibrationInputs = np.ndarray | Sequence[tuple[np.ndarray, ...]]
"""Images (n, H, W, 3) float32 in [0, 1] at a file's size, or for each sample what a file takes, in its order."""

# More do not help; `docs/quantization-candidates.md` has the measurements.
CALIBRATION_SAMPLES = 8
CALIBRATION_FRAMES = 8  # of a quality model
_MESSAGE_SEED = 2  # not that of the images which are evaluated


def calibration_fingerprint(nbits: int, size: ImageSize) -> str:
    """SHA-256 over the crops and the messages of `sealbench.converters.export.calibration.calibration_images`.

    With the watermarker's weights it says what a file was calibrated on.
    """
    digest = hashlib.sha256(fingerprint(calibration_crops(size, CALIBRATION_SAMPLES)).encode())
    digest.update(calibration_messages(nbits, CALIBRATION_SAMPLES).tobytes())
    return digest.hexdigest()


@cache
def calibration_crops(size: ImageSize, count: int) -> tuple[Sample, ...]:
    """Crops of the photographs kept for calibration, at one size.

    Raises:
        DatasetError: a package that carries the photographs is not installed.
    """
    return tuple(photo_samples("calibration", (size.height, size.width), count))


def calibration_messages(nbits: int, count: int) -> np.ndarray:
    """(count, nbits) uint8 of 0 and 1."""
    return random_messages(count, nbits, _MESSAGE_SEED)


def calibration_frames() -> list[Sample]:
    """Frames for quality models, at steps of distortion from none to the strongest.

    Ranges of sharp frames alone would be too narrow.
    """
    return mixed_samples("calibration", FRAME, CALIBRATION_FRAMES)
