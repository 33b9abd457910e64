"""Attacks on batches that gradients pass through; the measured ones are in `sealbench.datasets.attacks`.

Strengths are drawn for each image from ranges a little wider than what quality is measured at. What has no useful
gradient (rounding, JPEG) passes the gradient on unchanged.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from sealbench.converters.models.layers import resize
from sealbench.converters.training.jpeg import jpeg


def straight_through(images: Tensor, changed: Tensor) -> Tensor:
    """The values of `changed` with the gradient of `images`, both of one shape."""
    return images + (changed - images).detach()


def round_to_8_bits(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) in [0, 1] at the nearest of 256 levels; the gradient passes unchanged."""
    return straight_through(images, (images * 255).round() / 255)


def _none(images: Tensor, rng: np.random.Generator) -> Tensor:
    return images


def _crop(images: Tensor, rng: np.random.Generator) -> Tensor:
    """0.75 to 1 of each side, at a random place, resized back."""
    count = len(images)
    share = _drawn(images, rng, 0.75, 1.0).flatten()  # (B,)
    transform = torch.zeros(count, 2, 3, device=images.device)  # from places of the result to places of the image
    transform[:, 0, 0] = transform[:, 1, 1] = share
    for axis in range(2):
        transform[:, axis, 2] = _drawn(images, rng, -1, 1).flatten() * (1 - share)
    grid = F.affine_grid(transform, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _resize(images: Tensor, rng: np.random.Generator) -> Tensor:
    """To 0.62 to 0.95 of each side and back, one size for all images."""
    height, width = images.shape[-2:]
    factor = rng.uniform(0.62, 0.95)
    return resize(resize(images, round(height * factor), round(width * factor)), height, width)


def _brightness(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Times 0.75 to 1.25."""
    return (images * _drawn(images, rng, 0.75, 1.25)).clamp(0, 1)


def _contrast(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Distances to each image's mean times 0.75 to 1.25."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)  # (B, 1, 1, 1)
    return (mean + (images - mean) * _drawn(images, rng, 0.75, 1.25)).clamp(0, 1)


def _noise(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Normal noise of standard deviation 0 to 4 levels of 255."""
    generator = torch.Generator(images.device).manual_seed(int(rng.integers(2**62)))
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return (images + noise * _drawn(images, rng, 0, 4 / 255)).clamp(0, 1)


def _jpeg(images: Tensor, rng: np.random.Generator) -> Tensor:
    """JPEG at a quality of 68 to 95."""
    quality = _drawn(images, rng, 68, 95).flatten().round()
    return straight_through(images, jpeg(images.detach(), quality))


def _crop_jpeg(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A crop, stored as JPEG."""
    return _jpeg(round_to_8_bits(_crop(images, rng)), rng)


def _drawn(images: Tensor, rng: np.random.Generator, low: float, high: float) -> Tensor:
    """A number of [low, high) for each image, (B, 1, 1, 1)."""
    numbers = rng.uniform(low, high, (len(images), 1, 1, 1)).astype(np.float32)
    return torch.from_numpy(numbers).to(images.device)


Attack = Callable[[Tensor, np.random.Generator], Tensor]

ATTACKS: dict[str, Attack] = {
    "none": _none,
    "crop": _crop,
    "resize": _resize,
    "brightness": _brightness,
    "contrast": _contrast,
    "noise": _noise,
    "jpeg": _jpeg,
    "crop_jpeg": _crop_jpeg,
}
"""By the names that a phase of a recipe uses."""


def apply_attack(name: str, images: Tensor, rng: np.random.Generator) -> Tensor:
    """Attack a batch.

    Args:
        name: one of ATTACKS.
        images: (B, 3, H, W) in [0, 1].
        rng: draws strength, place and noise.

    Returns:
        (B, 3, H, W) in [0, 1].

    Raises:
        ValueError: the name is unknown.
    """
    if name not in ATTACKS:
        raise ValueError(f"training attack {name!r} is unknown; known: {', '.join(ATTACKS)}")
    return ATTACKS[name](images, rng)
