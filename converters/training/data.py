"""Training images: random crops of the calibration photographs and of generated dead leaves."""

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor

from datasets.dead_leaves import dead_leaves
from datasets.photographs import photograph, photographs

_SHRINK = 0.7  # from one level of a photograph's pyramid to the next
_SMALLEST_LEVEL = 256  # pixels of the shorter side
_GENERATED_SIDE = 320  # pixels; larger than the largest crop, so that crops differ


class CoverImages:
    """An endless source of images to watermark.

    Photographs are only those of the calibration role: the ones that quality is measured on are never read.

    Args:
        generated_images: how many dead-leaves images to make.
        generated_share: share of the crops that come from them, in [0, 1].
        seed: of the dead leaves.

    Raises:
        datasets.sample.DatasetError: a photograph is not installed.
    """

    def __init__(self, generated_images: int, generated_share: float, seed: int):
        self._photographs = [_pyramid(photograph(name)) for name in photographs("calibration")]
        # Far from the seeds 0, 1, 2, .. that evaluation sets of generated images are likely to use.
        first = 1_000_000 * (seed + 1)
        self._generated = [
            _planes(dead_leaves(_GENERATED_SIDE, _GENERATED_SIDE, first + index)) for index in range(generated_images)
        ]
        self._generated_share = generated_share if generated_images else 0.0

    def draw(self, rng: np.random.Generator, count: int, side: int) -> Tensor:
        """Random crops, flipped, recoloured and relit at random.

        Args:
            rng: advanced by what is drawn.
            count: how many.
            side: pixels.

        Returns:
            (count, 3, side, side) float32 in [0, 1], channels last in memory.
        """
        crops = torch.stack([self._crop(rng, side) for _ in range(count)])
        return crops.contiguous(memory_format=torch.channels_last)

    def _crop(self, rng: np.random.Generator, side: int) -> Tensor:
        """One crop (3, side, side) float32 in [0, 1]."""
        if rng.random() < self._generated_share:
            picture = self._generated[rng.integers(len(self._generated))]
        else:
            levels = self._photographs[rng.integers(len(self._photographs))]
            picture = levels[rng.integers(len(levels))]
        picture = _at_least(picture, side)
        top = int(rng.integers(picture.shape[1] - side + 1))
        left = int(rng.integers(picture.shape[2] - side + 1))
        crop = picture[:, top : top + side, left : left + side].float() / 255
        return _vary(crop, rng)


def _pyramid(image: np.ndarray) -> list[Tensor]:
    """The picture (H, W, 3) at falling sizes, as (3, h, w) uint8: textures at several scales."""
    height, width = image.shape[:2]
    levels, factor = [_planes(image)], _SHRINK
    while min(height, width) * factor >= _SMALLEST_LEVEL:
        size = (round(width * factor), round(height * factor))
        levels.append(_planes(np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))))
        factor *= _SHRINK
    return levels


def _planes(image: np.ndarray) -> Tensor:
    """(H, W, 3) to (3, H, W)."""
    return torch.from_numpy(image).permute(2, 0, 1)


def _at_least(picture: Tensor, side: int) -> Tensor:
    """The picture (3, H, W), enlarged where its shorter side is below `side`."""
    height, width = picture.shape[1:]
    if min(height, width) >= side:
        return picture
    factor = side / min(height, width)
    size = (max(side, round(height * factor)), max(side, round(width * factor)))
    return F.interpolate(picture[None].float(), size=size, mode="bilinear")[0]


def _vary(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror, transpose, permute colours, invert or relight (3, S, S) at random; values stay in [0, 1].

    Ten scenes are few: this keeps the networks from learning their colours and directions.
    """
    if rng.random() < 0.5:
        image = image.flip(2)
    if rng.random() < 0.3:
        image = image.transpose(1, 2)
    if rng.random() < 0.5:
        image = image[torch.from_numpy(rng.permutation(3))]
    if rng.random() < 0.1:
        image = 1 - image
    if rng.random() < 0.5:
        shape = (3, 1, 1) if rng.random() < 0.5 else (1, 1, 1)
        gain = torch.from_numpy(rng.uniform(0.65, 1.25, shape).astype(np.float32))
        image = (image * gain + float(rng.uniform(-0.1, 0.1))).clamp(0, 1)
    return image
