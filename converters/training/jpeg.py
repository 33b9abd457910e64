"""JPEG and back on tensors: what a lossy file does to an image, on the device where the images are.

The entropy coder loses nothing, so it is left out. What remains is the colour transform, chroma at half resolution, the
quantization of 8 x 8 cosine transforms, and the way back (ITU-T T.81 and the JFIF specification), as libjpeg does it.
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

# Quantization of luminance and chrominance at quality 50: tables K.1 and K.2 of ITU-T T.81.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
_BLOCK = 8
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))
_CENTRE = 128.0


def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """Images as JPEG gives them back: on average less than a level from what libjpeg gives.

    Args:
        images: (B, 3, H, W) in [0, 1].
        quality: of each image as libjpeg counts it, (B,) in 1 .. 100.

    Returns:
        (B, 3, H, W) in [0, 1] on 256 levels; no gradient passes.
    """
    with torch.no_grad():
        height, width = images.shape[-2:]
        levels = (images.float() * 255).round().clamp(0, 255)
        levels = F.pad(levels, (0, -width % (2 * _BLOCK), 0, -height % (2 * _BLOCK)), mode="replicate")
        planes = torch.einsum("kc,bchw->bkhw", levels.new_tensor(_TO_YCC), levels).round()
        luma = _quantized(planes[:, :1] - _CENTRE, _table(_LUMINANCE, quality)) + _CENTRE  # (B, 1, H', W')
        chroma = _quantized(F.avg_pool2d(planes[:, 1:], 2).round(), _table(_CHROMINANCE, quality))  # (B, 2, H'/2, W'/2)
        chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
        ycc = torch.cat([luma, chroma], dim=1)
        rgb = torch.einsum("kc,bchw->bkhw", levels.new_tensor(_TO_RGB), ycc)[:, :, :height, :width]
        return rgb.round().clamp(0, 255) / 255


def _table(base: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    """The steps of each image, (B, 8, 8), scaled as libjpeg scales them."""
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None, None]
    return ((quality.new_tensor(base) * percent + 50) / 100).floor().clamp(1, 255)


def _quantized(planes: Tensor, steps: Tensor) -> Tensor:
    """Planes (B, C, H, W) about 0, each 8 x 8 block's cosine transform rounded to steps (B, 8, 8); on whole levels."""
    count, channels, height, width = planes.shape
    transform = _cosines(planes)
    blocks = planes.reshape(count, channels, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).transpose(3, 4)
    step = steps[:, None, None, None]  # (B, 1, 1, 1, 8, 8)
    coefficients = (transform @ blocks @ transform.T / step).round() * step
    blocks = transform.T @ coefficients @ transform
    return blocks.transpose(3, 4).reshape(planes.shape).round().clamp(-_CENTRE, _CENTRE - 1)


def _cosines(like: Tensor) -> Tensor:
    """The orthonormal cosine transform of 8 values, (frequency, position)."""
    place = torch.arange(_BLOCK, device=like.device, dtype=like.dtype)
    waves = torch.cos(math.pi * (2 * place[None] + 1) * place[:, None] / (2 * _BLOCK)) / 2
    waves[0] /= math.sqrt(2)
    return waves
