"""Pictures with an alpha channel, for those who must keep it."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from sealbench.datasets.images import read_image


def read_with_alpha(path: str | Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Reads a picture as `read_image` does, but keeps its colours and its alpha channel apart.

    Args:
        path: the file.

    Returns:
        (H, W, 3) uint8, RGB, and (H, W) uint8, 255 where it is opaque; None in its place where nothing is transparent
        by the file's form. The colours are those that the file holds, also where nothing of them shows.

    Raises:
        DatasetError: see `read_image`.
    """
    flat = read_image(path)  # refuses all that is no complete picture
    with Image.open(path) as opened:
        if not opened.has_transparency_data:
            return flat, None
        upright = ImageOps.exif_transpose(opened)
        layer = np.array(upright.convert("RGBA"))  # (H, W, 4)
    return layer[..., :3].copy(), layer[..., 3].copy()
