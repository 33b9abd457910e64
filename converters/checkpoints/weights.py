"""A model's weights by reference. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path

SEED = 0
# Raise this when `models/seeding.py` gives other values for the same seed: stored artifacts are then made anew.
SEEDING_VERSION = 1


@dataclass(frozen=True)
class Weights:
    """A variant's weights by reference; nothing is read yet beyond the file's hash.

    Attributes:
        kind: `bundled`, `official`, `file`, `seeded` or `own` (the model brings them), as in the column `weights` of
            every table.
        path: the checkpoint, or the folder of several for a model of several networks; None for `seeded` and `own`.
        fingerprint: sha256 that changes whenever the values may change: of the checkpoint, also where `path` is what
            was extracted from it, of the recipe of `seeded`, or of the values themselves.
    """

    kind: str
    path: Path | None
    fingerprint: str
