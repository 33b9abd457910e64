"""Training images: random crops of the calibration photographs and of generated dead leaves."""

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor

from sealbench.datasets.dead_leaves import dead_leaves
from sealbench.datasets.photographs import photograph, photographs

_SHRINK = 0.7  # from one level of a photograph's pyramid to the next
_SMALLEST_LEVEL = 256  # pixels of the shorter side
_CROP_SIDE = 320  # pixels; larger than the images, so that one crop gives many
_GENERATED_SIDE = 448  # pixels; the same for the crops


class CoverImages:
    """An endless source of images to watermark.

    Crops of pictures are made once, mirrored, recoloured and relit at random, and kept on the device; every image is a
    part of one of them. Photographs are only those of the calibration role: the ones that quality is measured on are
    never read.

    Args:
        generated_images: how many dead-leaves images to make.
        generated_share: share of the crops that come from them, in [0, 1].
        crops: how many crops to make; one takes 0.3 MB.
        seed: of the dead leaves and the crops.
        device: where the crops are kept.

    Raises:
        sealbench.datasets.errors.DatasetError: a photograph is not installed.
    """

    def __init__(
        self,
        generated_images: int,
        generated_share: float,
        crops: int,
        seed: int,
        device: torch.device,
    ):
        self._photographs = [_pyramid(photograph(name)) for name in photographs("calibration")]
        # Far from the seeds 0, 1, 2, .. that evaluation sets of generated images are likely to use.
        first = 1_000_000 * (seed + 1)
        self._generated = [
            _planes(dead_leaves(_GENERATED_SIDE, _GENERATED_SIDE, first + index)) for index in range(generated_images)
        ]
        self._generated_share = generated_share if generated_images else 0.0
        rng = np.random.default_rng(seed)
        made = [(255 * self._crop(rng, _CROP_SIDE)).round().to(torch.uint8) for _ in range(crops)]
        self._crops = torch.stack(made).to(device)  # (crops, 3, _CROP_SIDE, _CROP_SIDE)

    def draw(self, rng: np.random.Generator, count: int, side: int) -> Tensor:
        """Parts of crops at random places, half of them mirrored.

        Args:
            rng: advanced by what is drawn.
            count: how many.
            side: pixels, at most 320.

        Returns:
            (count, 3, side, side) float32 in [0, 1], channels last in memory.
        """
        chosen, places = (
            rng.integers(len(self._crops), size=count),
            rng.integers(_CROP_SIDE - side + 1, size=(count, 2)),
        )
        parts = [
            self._crops[crop, :, top : top + side, left : left + side]
            for crop, (top, left) in zip(chosen.tolist(), places.tolist(), strict=True)
        ]
        images = torch.stack(parts).float() / 255
        mirrored = torch.from_numpy(rng.random((count, 1, 1, 1)) < 0.5).to(images.device)
        return torch.where(mirrored, images.flip(3), images).contiguous(memory_format=torch.channels_last)

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
