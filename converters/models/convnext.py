"""ConvNeXt V2 encoder of the VideoSeal detectors (Woo et al. 2023); parameter names equal upstream's."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from sealbench.converters.models.layers import NORM_EPS, ChannelNorm, GlobalResponseNorm
from sealbench.converters.models.pixel_decoder import PixelDecoder


class Block(nn.Module):
    """Depthwise 7 x 7, LayerNorm, a two-layer perceptron with GELU and GRN, and the residual."""

    def __init__(self, channels: int):
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, kernel_size=7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=NORM_EPS)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.act = nn.GELU()
        self.grn = GlobalResponseNorm(4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        y = self.dwconv(x).permute(0, 2, 3, 1)  # (B, H, W, C)
        y = self.grn(self.act(self.pwconv1(self.norm(y))))  # (B, H, W, 4C)
        y = self.pwconv2(y)  # (B, H, W, C)
        return x + y.permute(0, 3, 1, 2)  # (B, C, H, W)


class ConvNeXtV2(nn.Module):
    """Four stages of blocks, each after a strided convolution.

    Args:
        depths: blocks in each of the four stages.
        dims: channels of each of the four stages.
        stem_stride: stride of the 4 x 4 stem; every later stage halves the resolution again.
    """

    def __init__(self, depths: Sequence[int], dims: Sequence[int], stem_stride: int = 4):
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, dims[0], kernel_size=4, stride=stem_stride), ChannelNorm(dims[0]))
        self.downsample_layers = nn.ModuleList([stem])
        for before, after in pairwise(dims):
            self.downsample_layers.append(
                nn.Sequential(ChannelNorm(before), nn.Conv2d(before, after, kernel_size=2, stride=2))
            )
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(dim) for _ in range(depth))) for depth, dim in zip(depths, dims, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, dims[-1], h, w), h and w about H and W over 8 times the stem's stride."""
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(downsample(x))
        return x


class ConvNeXtDetector(nn.Module):
    """The whole detector: images in [0, 1] to logits.

    Args:
        nbits: message length in bits.
        depths, dims, stem_stride: see `ConvNeXtV2`.
    """

    def __init__(self, nbits: int, depths: Sequence[int], dims: Sequence[int], stem_stride: int = 4):
        super().__init__()
        self.convnext = ConvNeXtV2(depths, dims, stem_stride)
        self.pixel_decoder = PixelDecoder(dims[-1], nbits)

    def forward(self, images: Tensor) -> Tensor:
        """Detect in images (B, 3, H, W) with values in [0, 1]; returns logits (B, 1 + nbits)."""
        return self.pixel_decoder(self.convnext(images * 2 - 1))
