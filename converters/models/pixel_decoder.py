"""The head of every detector: features to logits; parameter names equal upstream's."""

from torch import Tensor, nn

from sealbench.converters.models.layers import Upsample


class PixelDecoder(nn.Module):
    """From the encoder's features to one logit each for the detection confidence and every bit."""

    def __init__(self, channels: int, nbits: int):
        super().__init__()
        # Upstream's cards all use one "upsampling" of factor 1: in effect a 3 x 3 convolution.
        self.output_upscaling = nn.Sequential(Upsample("bilinear", channels, channels, 1, nn.GELU))
        self.linear = nn.Linear(channels, 1 + nbits)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to (B, 1 + nbits): channel 0 the confidence, then the bit logits."""
        refined = self.output_upscaling(features)  # (B, C, h, w)
        return self.linear(refined.mean(dim=(-2, -1)))  # (B, 1 + nbits)
