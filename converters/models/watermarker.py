"""Embedder, attenuation, blending and detector together: what a released checkpoint holds."""

import torch
from torch import Tensor, nn

from sealbench.converters.models.jnd import luminance
from sealbench.converters.models.layers import resize


class Watermarker(nn.Module):
    """Embeds messages in images of any size and reads them back.

    Args:
        embedder: images (B, C, S, S) and messages to a watermark in [-1, 1]; its `channels` says whether C is 1
            (luminance) or 3 (RGB).
        detector: images (B, 3, S, S) in [0, 1] to logits (B, 1 + nbits).
        attenuation: images (B, 3, H, W) in [0, 1] to how much of the watermark each pixel takes, (B, 1 or 3, H, W).
        image_size: S, the side in pixels at which both networks were trained.
        scaling_w: strength of the watermark. `embed` returns image + scaling_w * attenuation * watermark.
    """

    def __init__(
        self, embedder: nn.Module, detector: nn.Module, attenuation: nn.Module, image_size: int, scaling_w: float
    ):
        super().__init__()
        self.embedder = embedder
        self.detector = detector
        self.attenuation = attenuation
        self.image_size = image_size
        self.scaling_w = scaling_w

    def embed(self, images: Tensor, messages: Tensor) -> Tensor:
        """Watermark images (B, 3, H, W) in [0, 1] with messages (B, nbits); the same shape, clamped to [0, 1].

        The watermark is made at `image_size` and resized to the image; it is attenuated at the image's own size.
        """
        side = self.image_size
        small = resize(images, side, side)  # (B, 3, S, S)
        if self.embedder.channels == 1:
            small = luminance(small)  # (B, 1, S, S)
        watermark = resize(self.embedder(small, messages), *images.shape[-2:])  # (B, C, H, W)
        return torch.clamp(images + self.scaling_w * self.attenuation(images) * watermark, 0, 1)

    def detect(self, images: Tensor) -> Tensor:
        """Logits (B, 1 + nbits) of images (B, 3, H, W) in [0, 1], resized to `image_size` first."""
        return self.detector(resize(images, self.image_size, self.image_size))

    def forward(self, images: Tensor) -> Tensor:
        """Same as `detect`."""
        return self.detect(images)
