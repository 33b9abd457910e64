"""Fingerprints of what shapes a run's numbers, for environment.json: two runs are compared by them.

Imports no torch; what it does takes milliseconds.
"""

import hashlib
import json
from dataclasses import asdict

import numpy as np

from sealbench.bench.tasks import image_set
from sealbench.converters.cards.card import Card
from sealbench.converters.cards.watermark import Variant
from sealbench.converters.store import ArtifactSpec
from sealbench.datasets.messages import random_messages
from sealbench.datasets.preprocess import PREPROCESSES, UPSTREAM

_PROBE_SIZES = ((48, 64), (200, 150))
_SHAPING = ("recipe", "calibration", "rewrites", "export_version")


def recipe_fingerprint(spec: ArtifactSpec) -> str:
    """SHA-256 of how an artifact is made, whatever model it is made from and with which tools.

    Args:
        spec: the artifact.

    Returns:
        64 hexadecimal digits; others for another recipe, calibration, rewrite or export.
    """
    provenance = spec.provenance()
    return _digest({name: provenance[name] for name in _SHAPING})


def preprocessing_fingerprint(variant: Card) -> str:
    """SHA-256 of what happens to images and messages on their way to a model, found by doing it to a made-up image.

    Of picture paths upstream's alone: the others are the libraries', whose versions are recorded.

    No version number can be forgotten so: another filter of the resize, another scale of the pixels or another seed of
    the messages gives other digits, and so does another way to lay the watermark on the image.

    Args:
        variant: the model's card.

    Returns:
        64 hexadecimal digits.
    """
    probe = np.random.default_rng(0).integers(0, 256, (96, 120, 3), dtype=np.uint8)  # (H, W, 3)
    way = PREPROCESSES[UPSTREAM if isinstance(variant, Variant) else "pillow"]  # frames are resized by Pillow
    facts: dict[str, object] = {
        "pixels": [hashlib.sha256(way(probe, height, width).tobytes()).hexdigest() for height, width in _PROBE_SIZES]
    }
    if isinstance(variant, Variant):
        facts["messages"] = random_messages(2, variant.nbits, image_set.MESSAGE_SEED).tolist()
        facts["blending"] = asdict(variant.blending)
    return _digest(facts)


def _digest(facts: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
