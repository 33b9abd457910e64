"""Attacks on batches that gradients pass through; the measured ones are in `datasets.attacks`.

Strengths are drawn from ranges a little wider than what quality is measured at. What has no useful gradient (rounding,
JPEG) passes the gradient on unchanged.
"""

import io
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor

from converters.models.layers import resize


def straight_through(images: Tensor, changed: Tensor) -> Tensor:
    """The values of `changed` with the gradient of `images`, both of one shape."""
    return images + (changed - images).detach()


def round_to_8_bits(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) in [0, 1] at the nearest of 256 levels; the gradient passes unchanged."""
    return straight_through(images, (images * 255).round() / 255)


def _none(images: Tensor, rng: np.random.Generator) -> Tensor:
    return images


def _shift(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Rolled by any number of pixels along both axes."""
    side = images.shape[-1]
    return torch.roll(images, (int(rng.integers(side)), int(rng.integers(side))), dims=(2, 3))


def _crop(images: Tensor, rng: np.random.Generator) -> Tensor:
    """0.75 to 1 of each side, at a random place, resized back."""
    height, width = images.shape[-2:]
    share = rng.uniform(0.75, 1.0)
    rows, columns = round(height * share), round(width * share)
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    return resize(images[:, :, top : top + rows, left : left + columns], height, width)


def _resize(images: Tensor, rng: np.random.Generator) -> Tensor:
    """To 0.65 to 0.95 of each side and back."""
    height, width = images.shape[-2:]
    factor = rng.uniform(0.65, 0.95)
    return resize(resize(images, round(height * factor), round(width * factor)), height, width)


def _brightness(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Times 0.75 to 1.25."""
    return (images * rng.uniform(0.75, 1.25)).clamp(0, 1)


def _contrast(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Distances to each image's mean times 0.75 to 1.25."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)  # (B, 1, 1, 1)
    return (mean + (images - mean) * rng.uniform(0.75, 1.25)).clamp(0, 1)


def _noise(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Normal noise of standard deviation 0 to 4 levels of 255."""
    noise = torch.from_numpy(rng.standard_normal(tuple(images.shape), dtype=np.float32)).to(images.device)
    return (images + noise * (rng.uniform(0, 4) / 255)).clamp(0, 1)


def _blur(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A Gaussian of standard deviation 0.3 to 1 pixels over 5 x 5 pixels."""
    offset = torch.arange(-2.0, 3.0, device=images.device)
    kernel = torch.exp(-0.5 * (offset / rng.uniform(0.3, 1.0)) ** 2)
    kernel = torch.outer(kernel, kernel) / kernel.sum() ** 2  # (5, 5), sums to 1
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
    return F.conv2d(padded, kernel.expand(3, 1, 5, 5), groups=3)


def _jpeg(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Pillow's JPEG at a quality of 70 to 95."""
    quality = int(rng.integers(70, 96))
    pixels = (images.detach() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()  # (B, H, W, 3)
    decoded = []
    for image in pixels:
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(image)).save(buffer, format="JPEG", quality=quality)
        decoded.append(np.array(Image.open(buffer)))
    changed = torch.from_numpy(np.stack(decoded)).to(images.device).permute(0, 3, 1, 2).float() / 255
    return straight_through(images, changed)


Attack = Callable[[Tensor, np.random.Generator], Tensor]

ATTACKS: dict[str, Attack] = {
    "none": _none,
    "shift": _shift,
    "crop": _crop,
    "resize": _resize,
    "brightness": _brightness,
    "contrast": _contrast,
    "noise": _noise,
    "blur": _blur,
    "jpeg": _jpeg,
}
"""By the names that a phase of a recipe uses."""


def apply_attack(name: str, images: Tensor, rng: np.random.Generator) -> Tensor:
    """Attack a batch, one strength for all of it.

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
