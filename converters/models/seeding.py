"""Deterministic untrained weights."""

import torch
from torch import nn


def initialize(module: nn.Module, generator: torch.Generator) -> None:
    """Fill every parameter of `module` with seeded values of a sensible scale, in place.

    Weights are normal with variance 1 / fan-in, so that activations keep their scale; norms get gains about 1;
    GRN's gamma and beta are normal with 0.1, since at zero (their start in training) GRN would be the identity and
    nothing of it would be exercised.
    """
    for name, parameter in module.named_parameters():
        with torch.no_grad():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith((".grn.gamma", ".grn.beta")):
                parameter.copy_(0.1 * noise)
            elif parameter.dim() > 1:
                fan_in = parameter[0].numel()
                parameter.copy_(noise * fan_in**-0.5)
            elif name.endswith(".weight"):  # the gain of a norm
                parameter.copy_(1 + 0.1 * noise)
            else:
                parameter.copy_(0.1 * noise)
