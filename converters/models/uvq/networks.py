"""The three networks of UVQ 1.5, and their chain from a frame to a score.

Frames are 1920 x 1080 RGB in [-1, 1]; features are channels last, as AggregationNet's released weights expect them.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sealbench.converters.models.uvq.efficientnet import EfficientTrunk
from sealbench.converters.models.uvq.shapes import CONTENT_SIDE, FEATURE_CHANNELS, FEATURE_SIDE, GRID, PATCH, STRIDE

SCORES = (1.0, 5.0)

# A patch gives 12 x 20 positions; the maximum over windows of this size leaves FEATURE_SIDE of them a side.
_WINDOW = tuple(-(-side // STRIDE) - FEATURE_SIDE + 1 for side in PATCH)  # (5, 13)
_POOLED = 4  # positions a side that AggregationNet works on
_HIDDEN = 256
_AGGREGATION_EPS = 1e-3


class ContentNet(EfficientTrunk):
    """What is seen: features of the whole frame at 256 x 256."""

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, 256, 256) in [-1, 1] to features (B, 8, 8, 128)."""
        return self.features(images).permute(0, 2, 3, 1)


class DistortionNet(EfficientTrunk):
    """What was done to it: features of nine patches at full resolution, side by side as they lie in the frame."""

    def forward(self, patches: Tensor) -> Tensor:
        """Patches (9 B, 3, 360, 640) in [-1, 1], as `patch_views` gives them, to features (B, 24, 24, 128)."""
        maxima = F.max_pool2d(self.features(patches), _WINDOW, stride=1)  # (9 B, 128, 8, 8)
        # Neighbours are merged so that no tensor has more than four axes: for more, kernels are slow or missing.
        rows = maxima.permute(0, 2, 3, 1).reshape(-1, GRID, FEATURE_SIDE, FEATURE_SIDE * FEATURE_CHANNELS)
        side = GRID * FEATURE_SIDE
        return rows.permute(0, 2, 1, 3).reshape(-1, side, side, FEATURE_CHANNELS)


class AggregationNet(nn.Module):
    """From both features to the score; parameter names equal those of the released `aggregation_net.pth`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2 * FEATURE_CHANNELS, _HIDDEN, 1)
        self.linear1 = nn.Linear(_HIDDEN, 1)
        self.ln1 = nn.LayerNorm([_HIDDEN, _POOLED, _POOLED], eps=_AGGREGATION_EPS)

    def forward(self, content: Tensor, distortion: Tensor) -> Tensor:
        """Features (B, 8, 8, 128) and (B, 24, 24, 128) to scores (B, 1) in (1, 5)."""
        both = torch.cat([_pooled(content), _pooled(distortion)], dim=1)  # (B, 256, 4, 4)
        hidden = F.relu(self.ln1(self.conv1(both)))
        strongest = hidden.amax((2, 3))  # (B, 256)
        return torch.tanh(self.linear1(strongest)) * ((SCORES[1] - SCORES[0]) / 2) + sum(SCORES) / 2


class UvqChain(nn.Module):
    """All three: a frame in, its score out."""

    def __init__(self, content_net: ContentNet, distortion_net: DistortionNet, aggregation_net: AggregationNet):
        super().__init__()
        self.content_net = content_net
        self.distortion_net = distortion_net
        self.aggregation_net = aggregation_net

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, 3, 1080, 1920) in [-1, 1] to scores (B, 1) in (1, 5)."""
        return self.aggregation_net(self.content_net(content_view(frames)), self.distortion_net(patch_views(frames)))


def content_view(frames: Tensor) -> Tensor:
    """What ContentNet sees of frames (B, 3, H, W): (B, 3, 256, 256), bilinear and not antialiased.

    As upstream has it: each pixel is made of the four that are nearest to its centre, so that of 1080 x 1920 most are
    never read. An antialiased resize is another input.
    """
    return F.interpolate(frames, size=(CONTENT_SIDE, CONTENT_SIDE), mode="bilinear", align_corners=False)


def patch_views(frames: Tensor) -> Tensor:
    """What DistortionNet sees of frames (B, 3, 1080, 1920): (9 B, 3, 360, 640), row by row from the top left."""
    rows = frames.permute(0, 2, 3, 1).reshape(-1, PATCH[0], GRID, PATCH[1] * 3)
    return rows.permute(0, 2, 1, 3).reshape(-1, *PATCH, 3).permute(0, 3, 1, 2)


def _pooled(features: Tensor) -> Tensor:
    """Features (B, S, S, C), S a multiple of 4, to their means on a 4 x 4 grid, (B, C, 4, 4)."""
    window = features.shape[1] // _POOLED
    return F.avg_pool2d(features.permute(0, 3, 1, 2), window)
