"""The weights of UVQ as its files hold them: each batch norm multiplied into the convolution before it."""

import numpy as np
import torch
from torch import nn

from sealbench.converters.models.uvq.efficientnet import ConvNorm


@torch.no_grad()
def folded_state(network: nn.Module) -> dict[str, np.ndarray]:
    """Tensors of a network by name, float32, the kernels (O, I, H, W) of `ConvNorm`s times gain / standard deviation.

    In evaluation mode a batch norm is one factor and one shift for each channel, so that the converter folds it.
    """
    state = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    for name, part in network.named_modules():
        if isinstance(part, ConvNorm):
            norm = part.norm
            assert norm.running_var is not None
            factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)  # (O,)
            kernel = f"{name}.0.conv.weight"
            state[kernel] = state[kernel] * factor.numpy()[:, None, None, None]
    return state
