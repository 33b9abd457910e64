"""The networks of UVQ with the values of a checkpoint, strictly, or of a seed."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from sealbench.converters.checkpoints.checkpoint_file import check_fit, read_tensors
from sealbench.converters.errors import UnknownNameError, WeightsError
from sealbench.converters.models.uvq.networks import AggregationNet, ContentNet, DistortionNet, UvqChain
from sealbench.converters.models.uvq.seeding import initialize_aggregation, initialize_trunk

NETWORKS: dict[str, type[ContentNet | DistortionNet | AggregationNet]] = {
    "content": ContentNet,
    "distortion": DistortionNet,
    "aggregation": AggregationNet,
}
# AggregationNet's is that of 2 to 13 whose scores of eleven distorted photographs are furthest apart: 3.26 to 4.19. Of
# three others all scores are above 4.87, where tanh is flat.
_SEEDS = {"content": 0, "distortion": 1, "aggregation": 6}
_COUNTER = "num_batches_tracked"  # of a batch norm; evaluation does not read it, and some writers leave it out


def load_network(name: str, checkpoint: Path | None = None) -> ContentNet | DistortionNet | AggregationNet:
    """One network, in evaluation mode.

    Args:
        name: `content`, `distortion` or `aggregation`.
        checkpoint: a state dict as released (`content_net.pth` and so on), or as `.safetensors`; it is never unpickled.
            None for seeded values, see `sealbench.converters.models.uvq.seeding`.

    Raises:
        UnknownNameError: there is no such network.
        WeightsError: the checkpoint cannot be read, or does not fit the network exactly. That of ContentNet and that
            of DistortionNet fit each other: no check of names and shapes can tell them apart.
    """
    if name not in NETWORKS:
        raise UnknownNameError("network of UVQ", name, tuple(NETWORKS))
    if checkpoint is None:
        network = NETWORKS[name]()
        if isinstance(network, AggregationNet):
            initialize_aggregation(network, _SEEDS[name])
        else:
            initialize_trunk(network, _SEEDS[name])
        return network
    with torch.device("meta"):
        network = NETWORKS[name]()
    network.load_state_dict(_fitting(checkpoint, name, network), strict=True, assign=True)
    return network.eval()


def load_chain(checkpoints: Mapping[str, Path] | None = None) -> UvqChain:
    """All three networks, in evaluation mode.

    Args:
        checkpoints: of each network by its name; None for seeded values of all. The released AggregationNet says 1.0
            of whatever features seeded networks give: values of the two kinds are not to be mixed.

    Raises:
        WeightsError: a checkpoint is missing, cannot be read, or does not fit its network exactly.
    """
    if checkpoints is not None and (missing := [name for name in NETWORKS if name not in checkpoints]):
        raise WeightsError(f"uvq1p5: no checkpoint of {', '.join(missing)}; give all of {', '.join(NETWORKS)}")
    content, distortion, aggregation = (
        load_network(name, None if checkpoints is None else checkpoints[name]) for name in NETWORKS
    )
    assert isinstance(content, ContentNet)
    assert isinstance(distortion, DistortionNet)
    assert isinstance(aggregation, AggregationNet)
    return UvqChain(content, distortion, aggregation).eval()


def _fitting(path: Path, name: str, network: nn.Module) -> dict[str, Tensor]:
    """The tensors of a checkpoint, in the types of the network's own; WeightsError where they do not fit."""
    expected = network.state_dict()
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; expected a .pth or .safetensors checkpoint of {name}")
    state = read_tensors(path)
    for key in expected:
        if key.endswith(_COUNTER):
            state.setdefault(key, torch.zeros((), dtype=torch.long))
    check_fit(path, f"the network {name} of uvq1p5", expected, state)
    return {key: value.to(expected[key].dtype).contiguous() for key, value in state.items()}
