"""Where a model's weights come from. Imports no torch.

A source is named as on the command line: `bundled` (trained, shipped here), `official` (the publisher's, downloaded),
`seeded` (deterministic and untrained) or the path of a checkpoint.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from sealbench.converters.cards.card import Card, card_facts
from sealbench.converters.checkpoints.file_hashes import remembered_sha256
from sealbench.converters.checkpoints.official import fetch_official
from sealbench.converters.checkpoints.weights import SEED, SEEDING_VERSION, Weights
from sealbench.converters.errors import WeightsError
from sealbench.converters.families.registry import family_of

BUNDLED = Path(__file__).parents[1] / "weights"


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
        recipe = {"seed": SEED, "version": SEEDING_VERSION, "card": card_facts(variant), **family_of(variant).seeding}
        return Weights("seeded", None, hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest())
    if source == "official":
        if variant.official_weights is None:
            raise WeightsError(
                f"{variant.name}: no address of published weights is known; use bundled, seeded, or the path of a "
                "checkpoint"
            )
        fetched = fetch_official(variant.official_weights, variant.official_sha256)
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
