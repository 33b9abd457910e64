"""A watermark model's networks with the values of a checkpoint, or of a seed: strictly, and never by unpickling."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints.checkpoint_file import check_fit, read_state
from sealbench.converters.checkpoints.weights import SEED, Weights
from sealbench.converters.models.build import build_detector, build_embedder, build_watermarker
from sealbench.converters.models.seeding import initialize
from sealbench.converters.models.watermarker import Watermarker

_SEED_OFFSETS = {"embedder": 0, "detector": 1}


def load_watermarker(variant: Variant, weights: Weights) -> Watermarker:
    """Build embedder and detector of a variant and fill them, in evaluation mode.

    The values of a checkpoint stay in its file and are mapped from there (see `checkpoint_file.read_state`).

    Raises:
        WeightsError: the checkpoint cannot be read, or does not fit the variant exactly.
    """
    state = _read(weights)
    embedder = _filled(build_embedder, "embedder", variant, weights, state)
    detector = _filled(build_detector, "detector", variant, weights, state)
    return build_watermarker(variant, embedder=embedder, detector=detector)


def load_detector(variant: Variant, weights: Weights) -> nn.Module:
    """Same as `load_watermarker`, but of the detector alone: the checkpoint's embedder is neither read nor needed.

    Raises:
        WeightsError: the checkpoint cannot be read, or its detector does not fit the variant exactly.
    """
    return _filled(build_detector, "detector", variant, weights, _read(weights))


def _read(weights: Weights) -> dict[str, Tensor]:
    """Tensors of the checkpoint; none for seeded weights."""
    return {} if weights.path is None else read_state(weights.path)


def _filled(
    build: Callable[[Variant], nn.Module],
    part: str,
    variant: Variant,
    weights: Weights,
    state: Mapping[str, Tensor],
) -> nn.Module:
    """A network that is built without values and given those of a checkpoint's state, or of the seed."""
    with torch.device("meta"):
        network = build(variant)
    if weights.path is None:
        network.to_empty(device="cpu")
        initialize(network, SEED + _SEED_OFFSETS[part])
        return network
    prefix = f"{part}."
    expected = network.state_dict()
    found = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    check_fit(weights.path, f"the variant {variant.name}", expected, found, prefix)
    # Assigned, not copied: a tensor of the type and order of the network's own stays in the file.
    values = {key: value.to(expected[key].dtype).contiguous() for key, value in found.items()}
    network.load_state_dict(values, strict=True, assign=True)
    return network
