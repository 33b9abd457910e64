"""Layers that the detector and the embedder share; parameter names equal upstream's `modules/common.py`."""

import torch
import torch.nn.functional as F  # noqa: N812 (the name PyTorch's own documentation uses)
from torch import Tensor, nn

NORM_EPS = 1e-6


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of a (B, C, H, W) tensor."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each pixel's channel vector, (B, C, H, W) to the same shape."""
        centred = x - x.mean(1, keepdim=True)  # (B, C, H, W)
        variance = centred.square().mean(1, keepdim=True)  # (B, 1, H, W)
        normalized = centred / torch.sqrt(variance + NORM_EPS)
        return self.weight[:, None, None] * normalized + self.bias[:, None, None]


class ChannelRMSNorm(nn.Module):
    """Scales each pixel's channel vector of a (B, C, H, W) tensor to root mean square 1, then by a gain a channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each pixel's channel vector, (B, C, H, W) to the same shape."""
        return F.normalize(x, dim=1) * len(self.gamma) ** 0.5 * self.gamma


class GlobalResponseNorm(nn.Module):
    """Global response normalization of ConvNeXt V2 (Woo et al. 2023, section 3.2), channels last.

    A channel is scaled by its spatial L2 norm, divided by the mean norm over the channels: channels compete.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Recalibrate the channels of (B, H, W, C); with zero gamma and beta it is the identity."""
        norm = torch.norm(x, p=2, dim=(1, 2), keepdim=True)  # (B, 1, 1, C)
        share = norm / (norm.mean(dim=-1, keepdim=True) + NORM_EPS)  # (B, 1, 1, C)
        return self.gamma * (x * share) + self.beta + x


class Upsample(nn.Module):
    """Enlarge (B, C, H, W) by `factor` and change its channels.

    `bilinear` resizes, then convolves 3 x 3 with reflection padding; `conv` is one transposed convolution, whose
    output may differ within a cell of factor x factor pixels. Both end in LayerNorm and the activation.

    Raises:
        ValueError: `kind` is neither `bilinear` nor `conv`.
    """

    def __init__(self, kind: str, in_channels: int, out_channels: int, factor: int, activation: type[nn.Module]):
        super().__init__()
        if kind == "bilinear":
            # A resize by 1 is the identity: leaving it out keeps a needless operation out of the exported graph,
            # and an Identity keeps the numbering of the parameters.
            resize = (
                nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False) if factor > 1 else nn.Identity()
            )
            layers: list[nn.Module] = [
                resize,
                nn.ReflectionPad2d(1),
                nn.Conv2d(in_channels, out_channels, kernel_size=3, bias=False),
            ]
        elif kind == "conv":
            layers = [nn.ConvTranspose2d(in_channels, out_channels, kernel_size=factor, stride=factor)]
        else:
            raise ValueError(f"upsampling {kind!r} is unknown; known: bilinear, conv")
        self.upsample_block = nn.Sequential(*layers, ChannelNorm(out_channels), activation())

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, factor * H, factor * W)."""
        return self.upsample_block(x)


def resize(images: Tensor, height: int, width: int) -> Tensor:
    """Antialiased bilinear resize of (B, C, H, W), as upstream resizes before the networks."""
    if images.shape[-2:] == (height, width):
        return images
    return F.interpolate(images, size=(height, width), mode="bilinear", align_corners=False, antialias=True)
