"""The images that static quantization takes the range of the activations from. Imports no quantizer."""

import numpy as np

from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.embedding import embed_pictures
from sealbench.converters.export.calibration_inputs import (
    CALIBRATION_SAMPLES,
    calibration_crops,
    calibration_messages,
)
from sealbench.converters.models.watermarker import Watermarker


def calibration_images(
    watermarker: Watermarker, nbits: int, size: ImageSize, start: int = 0, stop: int = CALIBRATION_SAMPLES
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
    pictures = [sample.image for sample in calibration_crops(size, stop)]
    marked = embed_pictures(watermarker, pictures[start:], calibration_messages(nbits, stop)[start:])
    return np.divide(np.stack([*marked, *pictures[start:]]), np.float32(255), dtype=np.float32)
