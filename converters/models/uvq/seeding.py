"""Deterministic untrained weights of UVQ that keep its activations alive."""

import numpy as np
import torch
from torch import Tensor, nn

from sealbench.converters.models.seeding import initialize
from sealbench.converters.models.uvq.efficientnet import ConvNorm, EfficientTrunk
from sealbench.converters.models.uvq.networks import AggregationNet
from sealbench.converters.models.uvq.settling import settling_pictures

_SPREAD = 0.1


def initialize_trunk(network: EfficientTrunk, seed: int) -> None:
    """Fill a trunk with values from `seed`, in place, and put it in evaluation mode.

    The weights are those of `sealbench.converters.models.seeding.initialize`, but each batch norm's running statistics
    are those of its own inputs when generated images (`settling_pictures`) go through, as after training. With mean 0
    and variance 1 instead, SiLU and the squeezed scales take so much of the signal in sixteen blocks that nothing of
    the image is left in the features. So a seeded score varies between images, and between the steps of a distortion.
    The
    statistics are sums of floats: on another machine they may differ in the last digits.

    The norms before SiLU add 1, where SiLU is nearly straight. About 0, where it bends, each layer enlarges the errors
    of those before it: rounding the weights to 8 bits moves ContentNet's features by 19 %, and so by 5.7 % (root mean
    square over 12 distorted photographs). Fidelity to PyTorch would tell little of a recipe.
    """
    initialize(network, seed)
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, ConvNorm) and part.activates:
                part.norm.bias.add_(1)
    _settle(network, torch.stack([_signed(picture) for picture in settling_pictures()]))


def initialize_aggregation(network: AggregationNet, seed: int) -> None:
    """Fill AggregationNet with values from `seed`, in place, and put it in evaluation mode."""
    initialize(network, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        # A gain of three axes, which `initialize` takes for a weight.
        network.ln1.weight.normal_(generator=generator).mul_(_SPREAD).add_(1)
    network.eval()


def _settle(network: EfficientTrunk, images: Tensor) -> None:
    """Give every batch norm the mean and the variance of what it reads when `images` (B, 3, H, W) go through."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0  # the running statistics become those of the batch
    network.train()
    with torch.inference_mode():
        network.features(images)
    network.eval()


def _signed(picture: np.ndarray) -> Tensor:
    """A picture (H, W, 3) uint8 as an image (3, H, W) in [-1, 1]."""
    return torch.from_numpy(picture).permute(2, 0, 1).float() / 127.5 - 1
