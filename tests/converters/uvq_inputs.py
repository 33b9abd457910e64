"""UVQ's seeded networks and inputs for them."""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sealbench.converters.checkpoints.uvq import load_network
from sealbench.converters.models.uvq.shapes import INPUT_SHAPES


@cache
def seeded(name: str) -> Any:
    """A network with its seeded values, one object for all tests."""
    return load_network(name)


def signed(picture: np.ndarray) -> Tensor:
    """Pixels (H, W, 3) of 0 to 255 as (1, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1


def features(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random features of both kinds, as AggregationNet takes them."""
    generator = torch.Generator().manual_seed(seed)
    content, distortion = (torch.randn(shape, generator=generator) for shape in INPUT_SHAPES["aggregation"])
    return content, distortion
