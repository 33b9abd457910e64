"""Image sizes as they stand on the command line, in file names and in tables."""

import re
from dataclasses import dataclass
from typing import Self

from sealbench.converters.cards.watermark import Variant, ViTCard
from sealbench.converters.errors import ImageSizeError

LARGEST_SIDE = 8192  # beyond this a typing error is likelier than a detector's input


@dataclass(frozen=True)
class ImageSize:
    """Height and width in pixels; `str()` gives `256` for a square and `480x640` otherwise."""

    height: int
    width: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `256` or `480x640` (height x width).

        Raises:
            ImageSizeError: it is neither, or a side is out of range.
        """
        match = re.fullmatch(r"(\d{1,6})(?:x(\d{1,6}))?", text.strip())
        if match is None:
            raise ImageSizeError(f"image size {text!r}: expected a side like 256, or HEIGHTxWIDTH like 480x640")
        height = int(match[1])
        size = cls(height, int(match[2] or height))
        if not (1 <= size.height <= LARGEST_SIDE and 1 <= size.width <= LARGEST_SIDE):
            raise ImageSizeError(f"image size {text!r}: each side must be from 1 to {LARGEST_SIDE} pixels")
        return size

    def __str__(self) -> str:
        return str(self.height) if self.height == self.width else f"{self.height}x{self.width}"


def check_image_size(variant: Variant, size: ImageSize, mode: str) -> None:
    """Refuse a size that the detector cannot take.

    In mode `resize` any size is taken, since the image is resized inside the model. In mode `simple` every stage of a
    convolutional detector must keep a pixel grid, and a transformer takes only the size it was trained at.

    Raises:
        ImageSizeError: the size is too small, or not the only one; the message names what is taken.
    """
    if mode != "simple":
        return
    smallest = variant.detector.smallest_side
    if isinstance(variant.detector, ViTCard):
        fits = (size.height, size.width) == (smallest, smallest)
        reason = f"its position embeddings fit {smallest} x {smallest} pixels alone"
    else:
        fits = min(size.height, size.width) >= smallest
        reason = f"each side must be at least {smallest} pixels"
    if not fits:
        raise ImageSizeError(
            f"{variant.name} cannot take images of {size}: {reason}; "
            f"--no-simple resizes inside the model to the {variant.image_size} it was trained at"
        )
