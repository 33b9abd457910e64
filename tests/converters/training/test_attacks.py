"""Attacks that training sees: gradients pass, strengths differ, and JPEG is that of a file."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from sealbench.converters.training.augment import ATTACKS, apply_attack, round_to_8_bits
from sealbench.converters.training.jpeg import jpeg
from sealbench.datasets.images import resize
from sealbench.datasets.photographs import photograph, photographs


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_keep_shape_and_range_and_pass_gradients(name: str) -> None:
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)).requires_grad_()
    attacked = apply_attack(name, images, np.random.default_rng(0))
    assert attacked.shape == images.shape
    assert attacked.min() >= -1e-6
    assert attacked.max() <= 1 + 1e-6
    attacked.sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_unknown_attack_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="known: none"):
        apply_attack("melt", torch.zeros(1, 3, 8, 8), np.random.default_rng(0))


def test_rounding_gives_levels() -> None:
    levels = round_to_8_bits(torch.rand(1, 3, 8, 8)) * 255
    assert torch.allclose(levels, levels.round(), atol=1e-4)


@pytest.mark.parametrize(("quality", "mean_levels"), [(30, 0.9), (80, 1.0), (95, 1.0)])
def test_jpeg_is_that_of_a_file(quality: int, mean_levels: float) -> None:
    image = resize(photograph(photographs("calibration")[0]), 122, 180)  # no multiple of a block
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=quality)
    expected = np.asarray(Image.open(buffer)).astype(np.float32)
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    # Another image of another quality beside it must not matter.
    both = jpeg(torch.cat([tensor, 1 - tensor]), torch.tensor([float(quality), 5.0]))
    found = (255 * both[0]).permute(1, 2, 0).numpy()
    assert np.abs(found - found.round()).max() < 1e-3
    assert np.abs(found - expected).mean() < mean_levels
    assert np.abs(found - expected).mean() < 0.5 * np.abs(image - expected).mean()


def test_each_image_gets_a_strength_of_its_own() -> None:
    images = torch.full((8, 3, 8, 8), 0.5)
    assert len(apply_attack("brightness", images, np.random.default_rng(0)).mean(dim=(1, 2, 3)).unique()) == 8


def test_a_crop_enlarges_a_part_of_the_image() -> None:
    ramp = torch.linspace(0, 1, 64).expand(4, 3, 64, 64)  # rises along x
    cropped = apply_attack("crop", ramp, np.random.default_rng(0))
    span = cropped[:, 0, 0, -1] - cropped[:, 0, 0, 0]
    assert torch.all(span < 0.999)
    assert torch.all(span > 0.72)
    assert torch.allclose(cropped[:, :, :1], cropped, atol=1e-5)  # what is constant along y stays so
