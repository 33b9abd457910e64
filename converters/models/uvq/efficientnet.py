"""The trunk of ContentNet and of DistortionNet: EfficientNet-B0 with fewer blocks and a head of its own.

Parameter names equal those of the released `content_net.pth` and `distortion_net.pth`, which have the same keys and
shapes: nothing but its values tells one from the other.
"""

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sealbench.converters.models.uvq.shapes import FEATURE_CHANNELS

NORM_EPS = 1e-3  # TensorFlow's default, which the released weights were trained with

_STEM_CHANNELS = 32
_SQUEEZE = 4  # input channels of a block for each channel that is squeezed to
# In order: input channels, factor by which they are expanded, output channels, kernel, stride.
_BLOCKS = (
    (32, 1, 16, 3, 1),
    (16, 6, 24, 3, 2),
    (24, 6, 24, 3, 1),
    (24, 6, 40, 5, 2),
    (40, 6, 40, 5, 1),
    (40, 6, 80, 3, 2),
    (80, 6, 80, 3, 1),
    (80, 6, 80, 3, 1),
    (80, 6, 112, 5, 1),
    (112, 6, 112, 5, 1),
    (112, 6, 112, 5, 1),
    (112, 6, 192, 5, 2),
    (192, 6, 192, 5, 1),
    (192, 6, 192, 5, 1),
    (192, 6, 192, 5, 1),
    (192, 6, 320, 3, 1),
)


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after a line of `side` pixels, as TensorFlow's padding SAME counts them.

    The output has ceil(side / stride) pixels; of an odd number of zeros the one more is at the end. PyTorch's own
    padding by kernel // 2 differs wherever the stride is 2 and the side even: it begins one pixel earlier.
    """
    outputs = -(-side // stride)
    total = max((outputs - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Module):
    """A convolution without bias and with TensorFlow's padding SAME."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, out, ceil(H / stride), ceil(W / stride))."""
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        rows, columns = (same_padding(side, kernel, stride) for side in x.shape[-2:])
        return self.conv(F.pad(x, (*columns, *rows)))


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and, where `activates`, SiLU."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1, activates: bool = True
    ):
        convolution = SameConv2d(in_channels, out_channels, kernel, stride, groups)
        norm = nn.BatchNorm2d(out_channels, eps=NORM_EPS)
        super().__init__(convolution, norm, *([nn.SiLU()] if activates else []))
        self.activates = activates

    @property
    def norm(self) -> nn.BatchNorm2d:
        """The batch norm, which is the second layer."""
        norm = self[1]
        assert isinstance(norm, nn.BatchNorm2d)
        return norm


class SqueezeExcitation(nn.Module):
    """Scales each channel by a factor in (0, 1) that follows from the means of all channels (Hu et al. 2018)."""

    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        means = x.mean((2, 3), keepdim=True)  # (B, C, 1, 1)
        return x * self.fc2(F.silu(self.fc1(means))).sigmoid()


class InvertedResidual(nn.Module):
    """EfficientNet's block: expand, depthwise, squeeze and excite, project; added to its input where shapes allow."""

    def __init__(self, in_channels: int, factor: int, out_channels: int, kernel: int, stride: int):
        super().__init__()
        wide = in_channels * factor
        expand = [ConvNorm(in_channels, wide, 1)] if factor > 1 else []
        self.block = nn.Sequential(
            *expand,
            ConvNorm(wide, wide, kernel, stride, groups=wide),
            SqueezeExcitation(wide, in_channels // _SQUEEZE),
            ConvNorm(wide, out_channels, 1, activates=False),
        )
        self.adds_input = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, out, ceil(H / stride), ceil(W / stride))."""
        projected = self.block(x)
        return projected + x if self.adds_input else projected


class EfficientTrunk(nn.Module):
    """The layers that ContentNet and DistortionNet share; 3.8 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvNorm(3, _STEM_CHANNELS, 3, stride=2),
            *(InvertedResidual(*block) for block in _BLOCKS),
            SameConv2d(_BLOCKS[-1][2], FEATURE_CHANNELS, 2),
        )
