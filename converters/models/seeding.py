"""Deterministic untrained weights."""

import torch
from torch import nn


def initialize(module: nn.Module, seed: int) -> None:
    """Fill every parameter of `module` with values from `seed`, of a sensible scale, in place.

    Weights are normal with variance 1 / fan-in, so that activations keep their scale; the gains of norms are normal
    about 1 and all other vectors about 0, with deviation 0.1. GRN's gamma and beta too: at zero, where training
    starts them, GRN would be the identity and no comparison would exercise it. Batch norm's running statistics stay
    at mean 0 and variance 1.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if not name.endswith("weight"):  # a bias, or GRN's gamma or beta
                parameter.copy_(0.1 * noise)
            elif parameter.dim() > 1:
                fan_in = parameter[0].numel()
                parameter.copy_(noise * fan_in**-0.5)
            else:  # the gain of a norm
                parameter.copy_(1 + 0.1 * noise)
