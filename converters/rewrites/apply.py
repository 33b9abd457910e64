"""Applies rewrites to a network, each by the function of its own module."""

from collections.abc import Callable, Sequence
from copy import deepcopy

import numpy as np
from torch import nn

from sealbench.converters.errors import UnknownNameError
from sealbench.converters.rewrites import REWRITES
from sealbench.converters.rewrites.fold_norms import fold_norms
from sealbench.converters.rewrites.slice_padding import slice_padding
from sealbench.converters.rewrites.split_depthwise import split_depthwise

# Each rewrites a network in place; parameters it does not change stay the same objects.
FUNCTIONS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "fold_norms": fold_norms,
    "slice_padding": slice_padding,
    "split_depthwise": split_depthwise,
}


def apply_rewrites(detector: nn.Module, names: Sequence[str]) -> nn.Module:
    """A rewritten copy of a detector; the detector itself is untouched.

    Parameters and buffers that no rewrite changes are shared with it, not copied.

    Args:
        detector: any module.
        names: of rewrites; they are applied in the order of `REWRITES`, whatever the order here.

    Raises:
        UnknownNameError: there is no such rewrite.
    """
    for name in names:
        if name not in REWRITES:
            raise UnknownNameError("rewrite", name, tuple(REWRITES))
    shared = {id(tensor): tensor for tensor in (*detector.parameters(), *detector.buffers())}
    rewritten = deepcopy(detector, shared)
    for name in REWRITES:
        if name in names:
            rewritten = FUNCTIONS[name](rewritten)
    return rewritten


def source_state(detector: nn.Module) -> dict[str, np.ndarray]:
    """The weights that a file made of a detector may hold: its own, and those of its rewritten forms.

    The export multiplies the gain of some large LayerNorms into the linear layer that follows, as a rewrite does.

    Args:
        detector: as it was loaded, before rewrites.

    Returns:
        Tensors by name, float32, in PyTorch's shapes, without copies of what no rewrite changes.
    """
    original = detector.state_dict()
    rewritten = apply_rewrites(detector, tuple(REWRITES)).state_dict()
    state = {name: tensor.detach().cpu().numpy() for name, tensor in original.items()}
    for name, tensor in rewritten.items():
        if name not in original or tensor.data_ptr() != original[name].data_ptr():
            state[f"{name} rewritten"] = tensor.detach().cpu().numpy()
    return state
