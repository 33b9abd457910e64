"""What a PyTorch module computes, as a fingerprint."""

import hashlib

import torch
from torch import Tensor, fx, nn

from sealbench.converters.export.quiet import quiet_unless_failing


def graph_fingerprint(module: nn.Module, example: tuple[Tensor, ...]) -> str:
    """SHA-256 of the operations that `torch.export` finds, and of the constants that are no part of the state.

    Args:
        module: in evaluation mode.
        example: what it takes, tensors of any shapes.

    Returns:
        64 hexadecimal digits: others for another graph, whichever file of the user's changed; the same for other values
        of the module's parameters and buffers.
    """
    with quiet_unless_failing():
        exported = torch.export.export(module, example)
    digest = hashlib.sha256()
    for part in exported.graph_module.modules():  # the bodies of conditions and loops, too
        if isinstance(part, fx.GraphModule):
            digest.update(str(part.graph).encode())
    for name, constant in sorted(exported.constants.items()):
        digest.update(name.encode())
        if isinstance(constant, Tensor):
            digest.update(constant.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
