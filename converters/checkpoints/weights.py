"""A model's weights by reference. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SEED = 0
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

    def as_json(self) -> dict[str, str | None]:
        """As JSON can hold it, for another process in another folder; `from_json` reads it back."""
        path = None if self.path is None else str(self.path.resolve())
        return {"kind": self.kind, "path": path, "fingerprint": self.fingerprint}

    @classmethod
    def from_json(cls, found: Mapping[str, str | None]) -> Self:
        """What `as_json` made."""
        kind, path, fingerprint = found["kind"], found["path"], found["fingerprint"]
        assert kind is not None
        assert fingerprint is not None
        return cls(kind, None if path is None else Path(path), fingerprint)
