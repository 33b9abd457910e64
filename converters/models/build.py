"""From a card to modules."""

from torch import nn

from converters.models.convnext import ConvNeXtDetector
from converters.models.jnd import JND
from converters.models.unet import UNetEmbedder
from converters.models.watermarker import Watermarker
from converters.variants import Variant


def build_detector(variant: Variant) -> nn.Module:
    """The detector of a variant with PyTorch's own initial values, in evaluation mode."""
    card = variant.detector
    return ConvNeXtDetector(variant.nbits, card.depths, card.dims, card.stem_stride).eval()


def build_watermarker(variant: Variant) -> Watermarker:
    """Embedder, attenuation and detector of a variant with PyTorch's own initial values, in evaluation mode."""
    embedder = variant.embedder
    return Watermarker(
        embedder=UNetEmbedder(
            variant.nbits,
            embedder.hidden_size,
            embedder.channels,
            embedder.widths,
            embedder.num_blocks,
            embedder.upsampling,
        ),
        detector=build_detector(variant),
        attenuation=JND(variant.blending.jnd_in_channels, variant.blending.jnd_out_channels),
        image_size=variant.image_size,
        scaling_w=variant.blending.scaling_w,
    ).eval()
