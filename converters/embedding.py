"""Watermark 8-bit pictures, as files hold them."""

from collections.abc import Sequence

import numpy as np
import torch

from sealbench.converters.models.watermarker import Watermarker

BATCH = 8  # pictures of one size that are embedded together


def embed_pictures(
    watermarker: Watermarker, pictures: Sequence[np.ndarray] | np.ndarray, messages: np.ndarray
) -> list[np.ndarray]:
    """Watermark pictures, each at its own size, rounded to the nearest 8-bit level.

    Args:
        watermarker: its embedder is used as it is, so it should be in evaluation mode.
        pictures: (H, W, 3) uint8 each, or all in one array.
        messages: bits, (n, nbits), 0 or 1.

    Returns:
        Pictures of the same sizes, uint8.
    """
    batch = BATCH if len({picture.shape for picture in pictures}) == 1 else 1
    marked: list[np.ndarray] = []
    for start in range(0, len(pictures), batch):
        pixels = torch.from_numpy(np.stack(list(pictures[start : start + batch])))  # (B, H, W, 3)
        bits = torch.from_numpy(messages[start : start + batch])  # (B, nbits)
        with torch.inference_mode():
            images = watermarker.embed(pixels.permute(0, 3, 1, 2).float() / 255, bits)  # (B, 3, H, W)
        levels = (images * 255).round().to(torch.uint8)
        marked.extend(levels.permute(0, 2, 3, 1).contiguous().numpy())
    return marked
