"""Normalizations without gains and shifts of their own: the linear layer after them takes those over.

A linear layer that reads gain * x + shift equals one that reads x, with weights * gain and bias + weights @ shift. The
file is left with fewer passes over its large tensors, and has nothing more to store.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sealbench.converters.models import convnext, vit
from sealbench.converters.models.layers import NORM_EPS, ChannelNorm, GlobalResponseNorm


class ChannelsLastNorm(nn.Module):
    """LayerNorm over the channels of a (B, C, H, W) tensor, computed with the channels last, as the file keeps them.

    Args:
        norm: whose gain and shift it has.
        affine: False leaves them out.
    """

    def __init__(self, norm: ChannelNorm, affine: bool):
        super().__init__()
        self.channels = len(norm.weight)
        self.weight = norm.weight if affine else None
        self.bias = norm.bias if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each pixel's channel vector, (B, C, H, W) to the same shape."""
        y = F.layer_norm(x.permute(0, 2, 3, 1), (self.channels,), self.weight, self.bias, NORM_EPS)
        return y.permute(0, 3, 1, 2)


class ScaledResponseNorm(nn.Module):
    """Global response normalization without its shift, as one scale a channel: x * (gamma * share + 1).

    Args:
        norm: whose gamma it has.
    """

    def __init__(self, norm: GlobalResponseNorm):
        super().__init__()
        self.gamma = norm.gamma

    def forward(self, x: Tensor) -> Tensor:
        """Recalibrate the channels of (B, H, W, C)."""
        # Not `torch.norm`, which is exported with the absolute values as one more pass over the tensor.
        norm = x.square().sum(dim=(1, 2), keepdim=True).sqrt()  # (B, 1, 1, C)
        share = norm / (norm.mean(dim=-1, keepdim=True) + NORM_EPS)  # (B, 1, 1, C)
        return x * (self.gamma * share + 1)


def fold_norms(detector: nn.Module) -> nn.Module:
    """Fold, in place, the normalizations of a ConvNeXt V2 or a ViT into the layers that read them.

    Where something else reads a normalization too (the stem's, the decoder's), it keeps its gain and shift.
    """
    for module in list(detector.modules()):
        if isinstance(module, convnext.Block):
            module.norm = _folded(module.norm, module.pwconv1)
            _add_to_bias(module.pwconv2, module.grn.beta.flatten())
            setattr(module, "grn", ScaledResponseNorm(module.grn))  # noqa: B010  (declared as the norm it replaces)
        elif isinstance(module, vit.Block):
            module.norm1 = _folded(module.norm1, module.attn.qkv)
            module.norm2 = _folded(module.norm2, module.mlp.lin1)
        elif isinstance(module, nn.Sequential):
            _fold_channel_norms(module)
    return detector


def _fold_channel_norms(layers: nn.Sequential) -> None:
    for place, norm in enumerate(layers):
        if not isinstance(norm, ChannelNorm):
            continue
        reader = layers[place + 1] if place + 1 < len(layers) else None
        # A padded convolution reads zeros beyond the border, to which the shift was not added.
        if isinstance(reader, nn.Conv2d) and reader.padding == (0, 0) and reader.groups == 1:
            _fold(norm.weight, norm.bias, reader)
            layers[place] = ChannelsLastNorm(norm, affine=False)
        else:
            layers[place] = ChannelsLastNorm(norm, affine=True)


def _folded(norm: nn.LayerNorm, reader: nn.Linear) -> nn.LayerNorm:
    """The norm without gain and shift, once its reader has them."""
    _fold(norm.weight, norm.bias, reader)
    return nn.LayerNorm(norm.normalized_shape, eps=norm.eps, elementwise_affine=False)


@torch.no_grad()
def _fold(gain: Tensor, shift: Tensor, reader: nn.Linear | nn.Conv2d) -> None:
    """Make `reader` give for x what it gave for gain * x + shift; both (C,), along its inputs."""
    _add_to_bias(reader, shift)
    rest = (1,) * (reader.weight.ndim - 2)
    reader.weight = nn.Parameter(reader.weight * gain.reshape(-1, *rest), requires_grad=False)  # (O, C, ...)


@torch.no_grad()
def _add_to_bias(reader: nn.Linear | nn.Conv2d, shift: Tensor) -> None:
    """Make `reader` give for x what it gave for x + shift."""
    assert reader.bias is not None
    # In float64: the sum runs over all inputs of a layer, and the result is rounded once.
    sums = reader.weight.double().flatten(2).sum(2) if reader.weight.ndim > 2 else reader.weight.double()  # (O, C)
    reader.bias = nn.Parameter((reader.bias.double() + sums @ shift.double()).float(), requires_grad=False)
