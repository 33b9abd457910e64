"""Just-noticeable-difference map: how much change each pixel hides (Wu et al. 2017, IEEE 7885108)."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

# Luminance of RGB, ITU-R BT.601.
LUMA = (0.299, 0.587, 0.114)
# Constants of the paper, for luminance in 8-bit levels.
DARK_LIMIT, DARK_GAIN, BRIGHT_GAIN, BRIGHT_FLOOR = 127.0, 17.0, 3.0 / 128.0, 3.0
CONTRAST_WEIGHT, CONTRAST_GAIN, CONTRAST_POWER, CONTRAST_KNEE = 0.117, 16.0, 2.4, 26.0
OVERLAP = 0.3  # the share by which luminance and contrast masking hide the same change
SQRT_EPS = 1e-5

_SOBEL_X = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
_SOBEL_Y = [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]
_BACKGROUND = [
    [1, 1, 1, 1, 1],
    [1, 2, 2, 2, 1],
    [1, 2, 0, 2, 1],
    [1, 2, 2, 2, 1],
    [1, 1, 1, 1, 1],
]  # sums to 32


def luminance(images: Tensor) -> Tensor:
    """Luminance (B, 1, H, W) of RGB images (B, 3, H, W), in the images' own range."""
    red, green, blue = images.split(1, dim=1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


class _Filter(nn.Module):
    """A fixed convolution with zero padding; `weight` is stored as upstream stores it."""

    def __init__(self, kernel: list[list[int]], channels: int):
        super().__init__()
        # On the CPU even where the networks are built on the meta device: no checkpoint brings these values.
        weight = torch.tensor(kernel, dtype=torch.float32, device="cpu").expand(channels, 1, -1, -1).clone()
        self.weight = nn.Parameter(weight, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, padding=self.weight.shape[-1] // 2, groups=self.weight.shape[0])


class JND(nn.Module):
    """The attenuation map of an image.

    Args:
        in_channels: 1 computes on the luminance, 3 on each of R, G and B.
        out_channels: 1 gives one map, 3 one for each of R, G and B.
    """

    def __init__(self, in_channels: int = 1, out_channels: int = 1):
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.conv_x = _Filter(_SOBEL_X, in_channels)
        self.conv_y = _Filter(_SOBEL_Y, in_channels)
        self.conv_lum = _Filter(_BACKGROUND, in_channels)

    def forward(self, images: Tensor) -> Tensor:
        """The map (B, out_channels, H, W), in units of full scale, of images (B, 3, H, W) in [0, 1]."""
        levels = 255 * (luminance(images) if self.in_channels == 1 else images)
        background = self.conv_lum(levels) / 32
        # The clamp changes nothing for images in [0, 1]; below 0 the root and its gradient would be NaN.
        dark = DARK_GAIN * (1 - torch.sqrt(background.clamp(0) / DARK_LIMIT + SQRT_EPS))
        bright = BRIGHT_GAIN * (background - DARK_LIMIT) + BRIGHT_FLOOR
        luminance_masking = torch.where(background <= DARK_LIMIT, dark, bright)
        gradient_squared = self.conv_x(levels).square() + self.conv_y(levels).square()
        contrast_masking = (
            CONTRAST_WEIGHT
            * CONTRAST_GAIN
            * gradient_squared ** (CONTRAST_POWER / 2)
            / (gradient_squared + CONTRAST_KNEE**2)
        )
        overlap = OVERLAP * torch.minimum(luminance_masking, contrast_masking)
        visible = (luminance_masking + contrast_masking - overlap).clamp(0) / 255
        if self.out_channels == 3 and self.in_channels == 1:
            return visible.expand(-1, 3, -1, -1)
        if self.out_channels == 1 and self.in_channels == 3:
            return visible.mean(dim=1, keepdim=True)
        return visible


class FullStrength(nn.Module):
    """The map of a variant that does not attenuate: 1 everywhere."""

    def forward(self, images: Tensor) -> Tensor:
        """Ones (B, 1, H, W) for images (B, 3, H, W)."""
        return torch.ones_like(images[:, :1])
