"""What an app does with a picture's 8-bit pixels before the detector: the resize to the model's input, as [0, 1].

docs/picture-path.md defines each way by size, filter and rounding, and says what each costs. Adding one is a line of
PREPROCESSES and a function of its name in `preprocess_functions.py`, which alone loads NumPy and Pillow: help lists the
ways, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for annotations alone
    import numpy as np


@dataclass(frozen=True)
class Preprocess:
    """One way from a picture's pixels to the model's input.

    Attributes:
        name: As in `--preprocess` and in every table.
        filter: Which pixels of the picture a pixel of the result is made of.
        rounding: Where values are rounded to 8 bits.
        library: The module that does it, and the extra that brings it; ("", "") where nothing must be installed.
    """

    name: str
    filter: str
    rounding: str
    library: tuple[str, str] = ("", "")

    def missing(self) -> str | None:
        """None if it can be used here, else what to install, like `pip install 'sealbench[opencv]'`."""
        module, extra = self.library
        return None if not module or find_spec(module) else f"pip install 'sealbench[{extra}]'"

    def __call__(self, image: "np.ndarray", height: int, width: int) -> "np.ndarray":
        """Make a model's input of a picture.

        Args:
            image: (H, W, 3) uint8, RGB.
            height: Of the model's input, in pixels, at least 1.
            width: Of the same.

        Returns:
            (height, width, 3) float32 in [0, 1]. A picture of that size already is only scaled, whatever the way.

        Raises:
            DatasetError: `image` is no such array, or the size is impossible.
        """
        from sealbench.datasets.preprocess_functions import RESIZES, to_unit_range
        from sealbench.datasets.sample import check_image, check_image_size

        check_image(image)
        height, width = check_image_size((height, width))
        if image.shape[:2] == (height, width):
            return to_unit_range(image)
        return RESIZES[self.name](image, height, width)


UPSTREAM = "upstream"
PREPROCESSES: Mapping[str, Preprocess] = {
    entry.name: entry
    for entry in (
        Preprocess(UPSTREAM, "bilinear, antialiased", "none"),
        Preprocess("pillow", "bilinear, antialiased", "8 bits after each axis"),
        Preprocess("opencv", "bilinear, two pixels an axis", "8 bits at the end", ("cv2", "opencv")),
        Preprocess("tensorflow", "bilinear, two pixels an axis", "none", ("tensorflow", "tensorflow")),
        Preprocess("app", "bilinear, two pixels an axis", "8 bits at the end"),
    )
}
"""Every way, by name."""
