"""The UNet embedder: an image and a message to a watermark; parameter names equal upstream's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from sealbench.converters.models.layers import ChannelRMSNorm, Upsample

# Each skip connection is scaled by 1 / sqrt(2), so that a concatenation keeps the variance (as in Imagen's UNet).
SKIP_SCALE = 2**-0.5

_NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm2d, "rms": ChannelRMSNorm}
_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU}


@dataclass(frozen=True)
class Style:
    """What all blocks of a UNet have in common.

    Attributes:
        normalization: `batch` or `rms`.
        activation: `relu` or `silu`.
        upsampling: `bilinear` as in the released cards, or `conv`; see `layers.Upsample`.

    Raises:
        ValueError: the normalization or the activation is unknown.
    """

    normalization: str
    activation: str
    upsampling: str

    def __post_init__(self) -> None:
        for kind, name, known in (
            ("normalization", self.normalization, _NORMALIZATIONS),
            ("activation", self.activation, _ACTIVATIONS),
        ):
            if name not in known:
                raise ValueError(f"{kind} {name!r} is unknown; known: {', '.join(known)}")

    def norm(self, channels: int) -> nn.Module:
        """A normalization of (B, channels, H, W)."""
        return _NORMALIZATIONS[self.normalization](channels)

    @property
    def act(self) -> type[nn.Module]:
        """The activation's class."""
        return _ACTIVATIONS[self.activation]


class ResnetBlock(nn.Module):
    """Twice 3 x 3 convolution, normalization and activation, beside a 1 x 1 convolution."""

    def __init__(self, in_channels: int, out_channels: int, style: Style):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
            style.norm(out_channels),
            style.act(),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            style.norm(out_channels),
            style.act(),
        )
        self.res_conv = nn.Conv2d(in_channels, out_channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W)."""
        return self.double_conv(x) + self.res_conv(x)


class DownBlock(nn.Module):
    """A 3 x 3 convolution of stride 2, then a residual block."""

    def __init__(self, in_channels: int, out_channels: int, style: Style):
        super().__init__()
        self.down = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=2, padding=1)
        self.conv = ResnetBlock(out_channels, out_channels, style)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H / 2, W / 2)."""
        return self.conv(self.down(x))


class UpBlock(nn.Module):
    """An upsampling by 2, then a residual block."""

    def __init__(self, in_channels: int, out_channels: int, style: Style):
        super().__init__()
        self.up = Upsample(style.upsampling, in_channels, out_channels, 2, style.act)
        self.conv = ResnetBlock(out_channels, out_channels, style)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, 2H, 2W)."""
        return self.conv(self.up(x))


class Bottleneck(nn.Module):
    """A chain of residual blocks of constant width."""

    def __init__(self, channels: int, num_blocks: int, style: Style):
        super().__init__()
        self.model = nn.Sequential(*(ResnetBlock(channels, channels, style) for _ in range(num_blocks)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        return self.model(x)


class MessageProcessor(nn.Module):
    """One learned vector for each bit and value; their sum is laid under the image's features at every place."""

    def __init__(self, nbits: int, hidden_size: int):
        super().__init__()
        self.nbits = nbits
        self.hidden_size = hidden_size
        self.msg_embeddings = nn.Embedding(2 * nbits, hidden_size)

    def forward(self, latents: Tensor, messages: Tensor) -> Tensor:
        """Append the message to latents (B, C, h, w).

        Args:
            latents: features of the image, (B, C, h, w).
            messages: bits, (B, nbits), 0 or 1 of any number type.

        Returns:
            (B, C + hidden_size, h, w).
        """
        rows = 2 * torch.arange(self.nbits, device=latents.device) + messages.long()  # (B, nbits)
        vector = self.msg_embeddings(rows).sum(dim=1)  # (B, hidden)
        height, width = latents.shape[-2:]
        plane = vector[:, :, None, None].expand(-1, -1, height, width)  # (B, hidden, h, w)
        return torch.cat([latents, plane], dim=1)


class UNet(nn.Module):
    """UNet that takes the message in at its bottleneck.

    Args:
        message_processor: puts the message under the features.
        channels: image channels in and watermark channels out (1: luminance; 3: RGB).
        widths: channels at each resolution, the first at full size.
        num_blocks: residual blocks at the bottleneck.
        style: of every block.
    """

    def __init__(
        self,
        message_processor: MessageProcessor,
        channels: int,
        widths: Sequence[int],
        num_blocks: int,
        style: Style,
    ):
        super().__init__()
        self.msg_processor = message_processor
        self.inc = ResnetBlock(channels, widths[0], style)
        self.downs = nn.ModuleList(DownBlock(before, after, style) for before, after in pairwise(widths))
        mixed = [*widths[:-1], widths[-1] + message_processor.hidden_size]
        self.bottleneck = Bottleneck(mixed[-1], num_blocks, style)
        self.ups = nn.ModuleList(UpBlock(2 * below, above, style) for above, below in reversed(list(pairwise(mixed))))
        self.outc = nn.Conv2d(widths[0], channels, kernel_size=1)

    def forward(self, images: Tensor, messages: Tensor) -> Tensor:
        """Images (B, C, H, W) in [-1, 1] and messages (B, nbits) to a watermark (B, C, H, W) in [-1, 1]."""
        skips = [self.inc(images)]
        for down in self.downs:
            skips.append(down(skips[-1]))
        skips[-1] = self.msg_processor(skips[-1], messages)
        x = self.bottleneck(skips[-1])
        for up, skip in zip(self.ups, reversed(skips), strict=False):  # the first skip has no block of its own
            x = up(torch.cat([x, skip * SKIP_SCALE], dim=1))
        return torch.tanh(self.outc(x))


class UNetEmbedder(nn.Module):
    """The embedder: images in [0, 1] and messages to the raw watermark, before attenuation and blending.

    Args:
        nbits: message length in bits.
        hidden_size: length of the learned vector of a message.
        channels: 1 where the watermark lives in the luminance, 3 where in RGB.
        widths, num_blocks, style: see `UNet`.
    """

    def __init__(
        self,
        nbits: int,
        hidden_size: int,
        channels: int,
        widths: Sequence[int],
        num_blocks: int,
        style: Style,
    ):
        super().__init__()
        processor = MessageProcessor(nbits, hidden_size)
        self.unet = UNet(processor, channels, widths, num_blocks, style)
        # Upstream registers the processor twice, so its checkpoints hold these keys twice: so do we.
        self.msg_processor = processor
        self.channels = channels

    def forward(self, images: Tensor, messages: Tensor) -> Tensor:
        """Images (B, channels, H, W) in [0, 1], messages (B, nbits); a watermark (B, channels, H, W) in [-1, 1]."""
        return self.unet(images * 2 - 1, messages)
