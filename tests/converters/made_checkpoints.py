"""Values of the tiny variant, the forms they are stored in, and whether a model holds them."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.models.watermarker import Watermarker

State = dict[str, Tensor]
TWINS = ("embedder.msg_processor.msg_embeddings.weight", "embedder.unet.msg_processor.msg_embeddings.weight")


def unseeded_state(variant: Variant) -> State:
    """Values that neither the seed nor PyTorch gives, so that a load that does nothing is noticed."""
    generator = torch.Generator().manual_seed(7)
    return {
        key: torch.rand(value.shape, generator=generator) if value.is_floating_point() else value + 5
        for key, value in load_watermarker(variant, find_weights(variant, "seeded")).state_dict().items()
        if key.startswith(("embedder.", "detector."))
    }


def load(variant: Variant, path: Path) -> Watermarker:
    return load_watermarker(variant, find_weights(variant, str(path)))


def assert_holds(watermarker: Watermarker, state: State) -> None:
    loaded = watermarker.state_dict()
    for key, value in state.items():
        assert torch.equal(loaded[key], value), key


def official_layout(state: State) -> dict[str, Any]:
    """As released: constants beside the networks, and the training's arguments beside the state."""
    constants = {
        "attenuation.conv_x.weight": torch.full((1, 1, 3, 3), 9.0),
        "attenuation.conv_y.weight": torch.full((1, 1, 3, 3), 9.0),
        "attenuation.conv_lum.weight": torch.full((1, 1, 5, 5), 9.0),
        "rgb2yuv.M": torch.full((3, 3), 9.0),
    }
    return {"model": state | constants, "args": {"nbits": 16, "lambda_w": 0.2, "name": "run"}, "epoch": 600}
