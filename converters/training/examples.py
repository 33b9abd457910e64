"""`python -m sealbench.converters.training.examples --out FILE.png`: originals, marked images, their difference."""

import argparse
import sys

import numpy as np

from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.embedding import embed_pictures
from sealbench.converters.errors import ConverterError
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.shared_options import add_out, add_samples, add_variant, add_weights
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.images import write_png
from sealbench.datasets.messages import random_messages
from sealbench.datasets.photographs import photo_samples

GAIN = 10  # by which the difference is enlarged about mid-gray
MARGIN = 8  # white pixels between pictures


def example_sheet(originals: np.ndarray, watermarked: np.ndarray) -> np.ndarray:
    """A row for each image: original, watermarked, and 128 + GAIN * (watermarked - original).

    Args:
        originals: (n, H, W, 3) uint8.
        watermarked: the same images with their watermark.

    Returns:
        (n * (H + MARGIN) - MARGIN, 3 * (W + MARGIN) - MARGIN, 3) uint8.
    """
    difference = watermarked.astype(np.int16) - originals
    enlarged = np.clip(128 + GAIN * difference, 0, 255).astype(np.uint8)
    columns = np.stack([originals, watermarked, enlarged], axis=1)  # (n, 3, H, W, 3)
    padded = np.pad(columns, ((0, 0), (0, 0), (0, MARGIN), (0, MARGIN), (0, 0)), constant_values=255)
    count, _, height, width, _ = padded.shape
    sheet = padded.transpose(0, 2, 1, 3, 4).reshape(count * height, 3 * width, 3)
    return sheet[:-MARGIN, :-MARGIN]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0, or 2 for what the user can fix."""
    parser = argparse.ArgumentParser(
        prog="python -m sealbench.converters.training.examples",
        description=f"Draws held-out photographs: original, watermarked, difference x {GAIN}.",
    )
    add_out(parser.add_argument, "the picture, .png", "FILE", required=True)
    add_weights(parser.add_argument)
    add_variant(parser.add_argument, variant_names(), "videoseal_nano")
    add_samples(parser.add_argument, 2, "photographs")
    options = parser.parse_args(arguments)
    try:
        variant = get_variant(options.variant)
        watermarker = load_watermarker(variant, find_weights(variant, options.weights))
        size = (variant.image_size, variant.image_size)
        originals = [sample.image for sample in photo_samples("evaluation", size, options.samples)]
        messages = random_messages(len(originals), variant.nbits, seed=0)
        marked = np.stack(embed_pictures(watermarker, originals, messages))
        write_png(options.out, example_sheet(np.stack(originals), marked))
    except (ConverterError, DatasetError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
