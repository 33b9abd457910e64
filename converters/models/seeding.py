"""Deterministic untrained weights."""

import torch
from torch import nn

from sealbench.converters.models.layers import ChannelRMSNorm

_SPREAD = 0.1


def initialize(module: nn.Module, seed: int) -> None:
    """Fill every parameter of `module` with values from `seed`, of a sensible scale, in place.

    Weights are normal with variance 1 / fan-in, so that activations keep their scale; the gains of norms are normal
    about 1 and all other vectors about 0, with deviation 0.1. GRN's gamma and beta too: at zero, where training
    starts them, GRN would be the identity and no comparison would exercise it. A transformer's position embeddings are
    such vectors, and its relative positions are weights: they are multiplied with the queries. Batch norm's running
    statistics are mean 0 and variance 1, also where the module came without values (`to_empty`).
    """
    generator = torch.Generator().manual_seed(seed)
    gains = {id(part.gamma) for part in module.modules() if isinstance(part, ChannelRMSNorm)}
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            kind = name.rpartition(".")[2]
            parameter.normal_(generator=generator)
            if kind.startswith("rel_pos") or (kind == "weight" and parameter.dim() > 1):
                parameter.mul_(parameter[0].numel() ** -0.5)
            elif kind == "weight" or id(parameter) in gains:
                parameter.mul_(_SPREAD).add_(1)
            else:  # a bias, GRN's gamma or beta, or a position embedding
                parameter.mul_(_SPREAD)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
