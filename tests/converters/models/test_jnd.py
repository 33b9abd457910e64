from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from sealbench.converters.models.jnd import JND, FullStrength


def naive_jnd(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wu et al. 2017 pixel by pixel for one channel in 8-bit levels; zeros beyond the border."""
    height, width = levels.shape
    padded = np.pad(levels, 2)
    result = np.empty_like(levels)
    for y, x in product(range(height), range(width)):
        window = padded[y : y + 5, x : x + 5]
        ring = window[1:4, 1:4].sum() - window[2, 2]
        background = (window.sum() - window[2, 2] + ring) / 32  # the inner ring counts twice
        if background <= 127:
            luminance = 17 * (1 - np.sqrt(background / 127 + 1e-5))
        else:
            luminance = 3 / 128 * (background - 127) + 3
        left, right, above, below = window[1:4, 1], window[1:4, 3], window[1, 1:4], window[3, 1:4]
        smooth = np.array([1, 2, 1])
        gradient = np.hypot((right - left) @ smooth, (above - below) @ smooth)
        contrast = 0.117 * 16 * gradient**2.4 / (gradient**2 + 26**2)
        result[y, x] = max(0, luminance + contrast - 0.3 * min(luminance, contrast)) / 255
    return result


def test_jnd_is_the_papers_formula() -> None:
    rng = np.random.default_rng(3)
    ramp = np.linspace(0, 1, 13)[None, None, :]  # dark, middle and bright backgrounds
    image = np.clip(ramp + 0.3 * (rng.random((3, 11, 13)) - 0.5), 0, 1).astype(np.float32)
    image[:, :6, :6] = 0
    image[:, 6:, 8:] = 1
    images = torch.from_numpy(image)[None]
    channels = [naive_jnd(255 * plane.astype(np.float64)) for plane in image]
    luma = naive_jnd(255 * (np.array([0.299, 0.587, 0.114]) @ image.reshape(3, -1).astype(np.float64)).reshape(11, 13))

    def assert_close(found: Tensor, expected: NDArray[np.float64]) -> None:
        np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-4, atol=1e-6)

    assert_close(JND(1, 1)(images), luma[None])
    assert_close(JND(1, 3)(images), np.stack([luma] * 3))
    assert_close(JND(3, 3)(images), np.stack(channels))
    assert_close(JND(3, 1)(images), np.mean(channels, axis=0)[None])
    assert luma.max() > 5 * luma.min() > 0  # the image exercises the formula


@pytest.mark.parametrize("level", [-0.1, 0.0, 1.0])
def test_jnd_and_its_gradient_are_finite_on_a_flat_image(level: float) -> None:
    images = torch.full((1, 3, 8, 8), level, requires_grad=True)
    result = JND()(images)
    assert result.isfinite().all()
    result.sum().backward()
    assert images.grad is not None
    assert images.grad.isfinite().all()


def test_full_strength_is_one_everywhere() -> None:
    assert torch.equal(FullStrength()(torch.rand(2, 3, 4, 5)), torch.ones(2, 1, 4, 5))
