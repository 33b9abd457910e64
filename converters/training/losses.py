"""What a training step minimizes."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from converters.training.recipe import LossWeights


@dataclass(frozen=True)
class DetectionLoss:
    """The loss of a batch and what the log says of it.

    Attributes:
        total: scalar with a gradient.
        bit_accuracy: share of right bits in each watermarked image, (B,); of those shown, where some are not.
        confidence_accuracy: share of all images whose channel 0 has the right sign.
    """

    total: Tensor
    bit_accuracy: Tensor
    confidence_accuracy: float


def detection_loss(
    logits: Tensor, messages: Tensor, weights: LossWeights, shown: Tensor | None = None
) -> DetectionLoss:
    """Judge a detector's output.

    Args:
        logits: (B + U, 1 + nbits): first B watermarked images, then U without a watermark, U 0 or more.
        messages: bits 0 or 1 of the watermarked ones, (B, nbits).
        weights: of the terms.
        shown: 1 for the bits that are in the image and 0 for those that are not, (B, nbits); None where all are.
    """
    marked = len(messages)
    bits, unmarked_bits = logits[:marked, 1:], logits[marked:, 1:]
    share = torch.ones_like(bits) if shown is None else shown / shown.mean()  # of each bit; 1 on average
    total = F.binary_cross_entropy_with_logits(bits, messages.float(), weight=share)
    is_marked = torch.zeros(len(logits), device=logits.device)
    is_marked[:marked] = 1
    total = total + weights.confidence * F.binary_cross_entropy_with_logits(logits[:, 0], is_marked)
    if len(unmarked_bits):
        # Where there is no watermark, each bit should be set half of the time: its mean logit is drawn to 0.
        total = total + weights.balance * unmarked_bits.mean(dim=0).square().mean()
    with torch.no_grad():
        right = (((bits > 0) == (messages > 0)) * share).mean(dim=1)  # (B,)
        confident = ((logits[:, 0] > 0) == (is_marked > 0)).float().mean()
    return DetectionLoss(total, right, float(confident))
