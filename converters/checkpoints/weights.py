"""Where a variant's weights come from, and how they are loaded: strictly, and never by unpickling.

A source is named as on the command line: `bundled` (trained, shipped here), `official` (the publisher's, downloaded),
`seeded` (deterministic and untrained) or the path of a checkpoint. Only `load_watermarker` and `load_detector` import
torch, and `find_weights` where it downloads.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sealbench.converters.cards.card import Card, Variant
from sealbench.converters.checkpoints.file_hashes import remembered_sha256
from sealbench.converters.errors import WeightsError
from sealbench.converters.families import family_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sealbench.converters.models.watermarker import Watermarker

SOURCES_HELP = (
    "bundled, official (the publisher's checkpoint, downloaded once and kept), seeded (untrained, deterministic), "
    "or a .safetensors or .pth file (default: bundled where there are any, else seeded)"
)
BUNDLED = Path(__file__).parents[1] / "weights"
SEED = 0
_SEED_OFFSETS = {"embedder": 0, "detector": 1}
# Raise this when `models/seeding.py` gives other values for the same seed: stored artifacts are then made anew.
SEEDING_VERSION = 1


@dataclass(frozen=True)
class Weights:
    """A variant's weights by reference; nothing is read yet beyond the file's hash.

    Attributes:
        kind: `bundled`, `official`, `file` or `seeded`, as in the column `weights` of every table.
        path: the checkpoint, or the folder of several for a model of several networks, or None for `seeded`.
        fingerprint: sha256 that changes whenever the values may change: of the checkpoint, also where `path` is what
            was extracted from it, or of the recipe of `seeded`.
    """

    kind: str
    path: Path | None
    fingerprint: str


def find_weights(variant: Card, source: str | None = None) -> Weights:
    """Resolve a source of weights.

    `official` is downloaded if it is not in the cache yet (see `sealbench.converters.checkpoints.official`), which may
    take minutes: check everything else first. No other source needs a network.

    Args:
        variant: whose weights.
        source: `bundled`, `official`, `seeded`, the path of a checkpoint, or None for the best there is without asking
            the user: bundled if the variant ships with weights, seeded otherwise.

    Raises:
        WeightsError: the variant has no weights of that kind, or there is no such file, or it cannot be read.
        DownloadError: the publisher's checkpoint cannot be had, or is another than before.
    """
    if source is None:
        source = "bundled" if variant.bundled_weights else "seeded"
    if source == "seeded":
        recipe = {"seed": SEED, "version": SEEDING_VERSION, "card": asdict(variant), **family_of(variant).seeding}
        return Weights("seeded", None, hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest())
    if source == "official":
        if variant.official_weights is None:
            raise WeightsError(
                f"{variant.name}: no address of published weights is known; use bundled, seeded, or the path of a "
                "checkpoint"
            )
        from sealbench.converters.checkpoints.official import fetch_official

        fetched = fetch_official(variant.official_weights)
        return Weights("official", fetched.tensors, fetched.sha256)
    if source == "bundled":
        if variant.bundled_weights is None:
            raise WeightsError(f"{variant.name}: no weights are bundled; use seeded, or the path of a checkpoint")
        path = BUNDLED / variant.bundled_weights
    else:
        path = Path(source)
    try:
        fingerprint = _fingerprint(family_of(variant).checkpoints(variant, path))
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from error
    return Weights("bundled" if source == "bundled" else "file", path, fingerprint)


def _fingerprint(files: Sequence[Path]) -> str:
    """Of one checkpoint its sha256, of several that of theirs in their order."""
    digests = [remembered_sha256(path) for path in files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def load_watermarker(variant: Variant, weights: Weights) -> "Watermarker":
    """Build embedder and detector of a variant and fill them, in evaluation mode.

    The values of a checkpoint stay in its file and are mapped from there (see `checkpoint_file.read_state`).

    Raises:
        WeightsError: the checkpoint cannot be read, or does not fit the variant exactly.
    """
    from sealbench.converters.models.build import build_detector, build_embedder, build_watermarker

    state = _read(weights)
    embedder = _filled(build_embedder, "embedder", variant, weights, state)
    detector = _filled(build_detector, "detector", variant, weights, state)
    return build_watermarker(variant, embedder=embedder, detector=detector)


def load_detector(variant: Variant, weights: Weights) -> "nn.Module":
    """Same as `load_watermarker`, but of the detector alone: the checkpoint's embedder is neither read nor needed.

    Raises:
        WeightsError: the checkpoint cannot be read, or its detector does not fit the variant exactly.
    """
    from sealbench.converters.models.build import build_detector

    return _filled(build_detector, "detector", variant, weights, _read(weights))


def _read(weights: Weights) -> "dict[str, Tensor]":
    """Tensors of the checkpoint; none for seeded weights."""
    from sealbench.converters.checkpoints.checkpoint_file import read_state

    return {} if weights.path is None else read_state(weights.path)


def _filled(
    build: "Callable[[Variant], nn.Module]",
    part: str,
    variant: Variant,
    weights: Weights,
    state: "Mapping[str, Tensor]",
) -> "nn.Module":
    """A network that is built without values and given those of a checkpoint's state, or of the seed."""
    import torch

    from sealbench.converters.checkpoints.checkpoint_file import check_fit
    from sealbench.converters.models.seeding import initialize

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
