"""What a training step minimizes."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from sealbench.converters.training.recipe import LossWeights

_TINY = 1e-12  # the gradient of a root is infinite at 0
FEATURE_SIZE = 6.0
"""Root mean square of the features of a watermarked image, about."""


@dataclass(frozen=True)
class DetectionLoss:
    """The loss of a batch and what the log says of it.

    Attributes:
        total: scalar with a gradient.
        bit_accuracy: share of right bits in each watermarked image, (B,); of those shown, where some are not.
        bit_errors: share of the watermarked images in which a bit is wrong, (nbits,); NaN for one that none shows.
        confidence_accuracy: share of all images whose channel 0 has the right sign.
    """

    total: Tensor
    bit_accuracy: Tensor
    bit_errors: Tensor
    confidence_accuracy: float


def detection_loss(
    logits: Tensor,
    messages: Tensor,
    weights: LossWeights,
    shown: Tensor | None = None,
    emphasis: Tensor | None = None,
) -> DetectionLoss:
    """Judge a detector's output.

    Args:
        logits: (B + U, 1 + nbits): first B watermarked images, then U without a watermark, U 0 or more.
        messages: bits 0 or 1 of the watermarked ones, (B, nbits).
        weights: of the terms.
        shown: 1 for the bits that are in the image and 0 for those that are not, (B, nbits); None where all are.
        emphasis: how much each bit counts compared with the others, (nbits,), above 0; None where all count alike.
    """
    marked = len(messages)
    bits, unmarked_bits = logits[:marked, 1:], logits[marked:, 1:]
    drawn = torch.ones_like(bits) if shown is None else shown  # (B, nbits)
    share = drawn if emphasis is None else drawn * emphasis
    share = share / share.mean()
    total = F.binary_cross_entropy_with_logits(bits, messages.float(), weight=share)
    is_marked = torch.zeros(len(logits), device=logits.device)
    is_marked[:marked] = 1
    total = total + weights.confidence * F.binary_cross_entropy_with_logits(logits[:, 0], is_marked)
    if len(unmarked_bits):
        # Where there is no watermark, each bit should be set half of the time, and the image should decide which half,
        # not the rounding of a quantized file, which would decide where logits are near 0.
        total = total + weights.balance * torch.tanh(unmarked_bits).mean(dim=0).square().mean()
        size = torch.sqrt(unmarked_bits.square().mean(dim=1) + _TINY)  # (U,)
        total = total + weights.spread * F.relu(1 - size).square().mean()
    # Logits that grow without end make the ranges that a quantized file must cover; 10 is as sure as 100.
    total = total + weights.magnitude * (bits.square().mean() + logits[:, 0].square().mean())
    with torch.no_grad():
        wrong = drawn * ((bits > 0) != (messages > 0))  # (B, nbits)
        right = 1 - wrong.sum(dim=1) / drawn.sum(dim=1)  # (B,)
        bit_errors = wrong.sum(dim=0) / drawn.sum(dim=0)  # (nbits,)
        confident = ((logits[:, 0] > 0) == (is_marked > 0)).float().mean()
    return DetectionLoss(total, right, bit_errors, float(confident))


def feature_loss(features: Tensor, weights: LossWeights) -> Tensor:
    """Keep what the pixel decoder takes of one size for all images.

    Nothing else does: the norm behind it forgets the size. Without a watermark features grew to 18 times their size
    with one, and an int8_static file, whose steps are the same for all images, then read 85 % of the bits.

    Args:
        features: (B, C, h, w).
        weights: of the terms.

    Returns:
        A scalar with a gradient.
    """
    return weights.features * features.square().mean() / FEATURE_SIZE**2
