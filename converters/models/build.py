"""From a card to modules.

Every function builds on PyTorch's current default device. Who fills the parameters anyway builds under
`with torch.device("meta")`, where they take neither memory nor time, and then calls `load_state_dict(assign=True)`, or
`to_empty` and `seeding.initialize`. No detector or embedder holds a constant that this would lose, and the attenuation
map's constants are made on the CPU whatever the default.
"""

import torch
from torch import nn

from sealbench.converters.cards.watermark import ConvNeXtCard, Variant, ViTCard
from sealbench.converters.models.convnext import ConvNeXtDetector
from sealbench.converters.models.jnd import JND, FullStrength
from sealbench.converters.models.unet import Style, UNetEmbedder
from sealbench.converters.models.vit import ImageEncoderViT, ViTDetector
from sealbench.converters.models.watermarker import Watermarker


def build_detector(variant: Variant) -> nn.Module:
    """The detector of a variant with PyTorch's own initial values, in evaluation mode."""
    card = variant.detector
    match card:
        case ConvNeXtCard():
            return ConvNeXtDetector(variant.nbits, card.depths, card.dims, card.stem_stride).eval()
        case ViTCard():
            encoder = ImageEncoderViT(
                card.grid,
                card.patch_size,
                card.dim,
                card.depth,
                card.heads,
                card.mlp_ratio,
                card.window_size,
                card.global_blocks,
                card.out_channels,
            )
            return ViTDetector(variant.nbits, encoder, card.out_channels).eval()


def build_embedder(variant: Variant) -> UNetEmbedder:
    """The embedder of a variant with PyTorch's own initial values, in evaluation mode."""
    card = variant.embedder
    style = Style(card.normalization, card.activation, card.upsampling)
    return UNetEmbedder(variant.nbits, card.hidden_size, card.channels, card.widths, card.num_blocks, style).eval()


def build_watermarker(
    variant: Variant, *, embedder: nn.Module | None = None, detector: nn.Module | None = None
) -> Watermarker:
    """Embedder, attenuation and detector of a variant, in evaluation mode.

    Args:
        variant: its card.
        embedder, detector: the parts, where they are built and filled already; else with PyTorch's own initial values.
    """
    blending = variant.blending
    attenuates = blending.jnd_in_channels > 0
    return Watermarker(
        embedder=embedder or build_embedder(variant),
        detector=detector or build_detector(variant),
        attenuation=JND(blending.jnd_in_channels, blending.jnd_out_channels) if attenuates else FullStrength(),
        image_size=variant.image_size,
        scaling_w=blending.scaling_w,
    ).eval()


def check_architecture(variant: Variant) -> None:
    """Build a variant without values: takes no memory.

    Raises:
        ValueError: its card's numbers make no network.
    """
    try:
        with torch.device("meta"):
            build_watermarker(variant)
    except (LookupError, TypeError, RuntimeError, ArithmeticError) as error:  # what PyTorch's layers raise
        raise ValueError(f"no network can be built of it ({error})") from error
