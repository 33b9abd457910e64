"""Reflection padding by one pixel as slices put together, which XNNPACK runs and MIRROR_PAD leaves.

An operation in the middle of the graph that XNNPACK does not take ends its part of the graph: the tensors are unpacked
and packed again around it.
"""

import torch
from torch import Tensor, nn


class SlicePadding(nn.Module):
    """What `nn.ReflectionPad2d(1)` is."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), H and W at least 2, to (B, C, H + 2, W + 2)."""
        x = torch.cat([x[:, :, 1:2], x, x[:, :, -2:-1]], dim=2)  # (B, C, H + 2, W)
        return torch.cat([x[..., 1:2], x, x[..., -2:-1]], dim=3)  # (B, C, H + 2, W + 2)


def slice_padding(module: nn.Module) -> nn.Module:
    """Replace, in place, every reflection padding by one pixel within `module`."""
    for name, child in module.named_children():
        if isinstance(child, nn.ReflectionPad2d) and child.padding == (1, 1, 1, 1):
            setattr(module, name, SlicePadding())
        else:
            slice_padding(child)
    return module
