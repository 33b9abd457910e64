"""The registry: a family of another package is found by its entry point, and what cannot be used is named."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from sealbench.converters.cards.card import CARDS
from sealbench.converters.errors import RegistryError
from sealbench.converters.families import registry
from sealbench.converters.families.family import Family
from sealbench.converters.families.registry import card_names, cards, families, family_of, get_card
from sealbench.converters.registry import Registry

# A package as its author would write it: one card, a module of one layer, and seeded weights.
PACKAGE = """
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sealbench.converters.cards.card import Card
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.errors import ImageSizeError
from sealbench.converters.export.precisions import Precision, Rule
from sealbench.converters.families.family import Family, Model, Shapes
from sealbench.converters.tflite.model_file import ModelFile, check_signature


@dataclass(frozen=True)
class EdgeCard:
    name: str
    side: int
    task: str = "tensor"
    architecture: str = "edges"
    family: str = "edges"
    official_weights: str | None = None
    official_sha256: str | None = None
    bundled_weights: str | None = None
    own_weights: str | None = None


class EdgeModel:
    def __init__(self, card: EdgeCard):
        self.card = card

    @property
    def network(self) -> object:
        from torch import nn

        return nn.Conv2d(3, 1, 3, padding=1, bias=False).eval()

    def check(self) -> None:
        pass

    def export(self, rewrites: Sequence[str], size: ImageSize, mode: str, path: Path) -> None:
        raise NotImplementedError

    def calibration(self, size: ImageSize) -> np.ndarray:
        return np.zeros((1, size.height, size.width, 3), np.float32)

    def source_state(self) -> Mapping[str, np.ndarray]:
        return {}


@dataclass(frozen=True)
class EdgeFamily:
    image_scale: float = 1.0
    seeding: Mapping[str, Any] = field(default_factory=dict)

    def cards(self) -> Mapping[str, EdgeCard]:
        return {"edges_64": EdgeCard("edges_64", 64)}

    def read_card(self, name: str, table: Mapping[str, Any], place: str) -> EdgeCard:
        return EdgeCard(name, **table)

    def default_size(self, card: Card) -> ImageSize:
        assert isinstance(card, EdgeCard)
        return ImageSize(card.side, card.side)

    def check_size(self, card: Card, size: ImageSize, mode: str) -> None:
        if size != self.default_size(card):
            raise ImageSizeError(f"{card.name} takes {self.default_size(card)} only")

    def inputs(self, card: Card, size: ImageSize) -> Shapes:
        return ((1, size.height, size.width, 3),)

    def outputs(self, card: Card, size: ImageSize) -> Shapes:
        return ((1, size.height, size.width, 1),)

    def file_stem(self, card: Card) -> str:
        return card.name

    def check_file(self, file: ModelFile, card: Card, size: ImageSize) -> None:
        check_signature(file, card.name, self.inputs(card, size), self.outputs(card, size)[0])

    def checkpoints(self, card: Card, path: Path) -> Sequence[Path]:
        return (path,)

    def recipe(self, precision: Precision, rewrites: tuple[str, ...]) -> tuple[Rule, ...]:
        return precision.recipe_for(rewrites)

    def calibration_fingerprint(self, card: Card, size: ImageSize) -> str:
        return "0" * 64

    def model(self, card: Card, weights: Weights) -> Model:
        assert isinstance(card, EdgeCard)
        return EdgeModel(card)


FAMILY: Family = EdgeFamily()
"""

FINDS = """
import sys
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.families.registry import card_names, families, family_of, get_card
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.rewrites import choose_rewrites
from sealbench.converters.store import ArtifactSpec
assert list(families()) == ["edges", "file", "module", "quality", "watermark"]
card = get_card("edges_64")
assert "edges_64" in card_names() and "videoseal_nano" in card_names()
family, weights = family_of(card), find_weights(card)
rewrites = choose_rewrites("auto", card)
spec = ArtifactSpec(card, weights, get_precision("int8"), family.default_size(card), rewrites=rewrites)
print(type(card).__name__, weights.kind, len(spec.key), spec.file_name, "torch" in sys.modules)
print(type(family.model(card, weights).network).__name__)
"""


def install(folder: Path, entry: str, module: str = PACKAGE, package: str = "edges_package") -> None:
    """What `pip install` leaves of a package with one family: its module, and its entry point beside it."""
    (folder / f"{package}.py").write_text(module, encoding="utf-8")
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[sealbench.families]\n{entry}\n", encoding="utf-8")


def run(folder: Path, program: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.main_job
def test_a_family_from_another_package_needs_no_change_here(tmp_path: Path) -> None:
    install(tmp_path, "edges = edges_package:FAMILY")
    done = run(tmp_path, FINDS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["EdgeCard seeded 24 edges_64_64_int8.tflite False", "Conv2d"]


@pytest.mark.parametrize(
    ("entry", "module", "message"),
    [
        (
            "broken = edges_package:FAMILY",
            "raise RuntimeError('no licence')",
            "the family 'broken' of the package edges_package 1.0 cannot be loaded (RuntimeError: no licence); install",
        ),
        ("empty = edges_package:FAMILY", "FAMILY = object()", "has no image_scale, seeding, cards, read_card, "),
        (
            "quality = edges_package:FAMILY",
            PACKAGE,
            "the family 'quality' is provided by edges_package 1.0 and by sealbench",
        ),
        (
            "other = edges_package:FAMILY",
            PACKAGE,
            "other has the card edges_64, which names the family edges",
        ),
        (
            "edges = edges_package:FAMILY",
            PACKAGE.replace('"edges_64"', '"videoseal"'),
            "two families have a card videoseal: edges and watermark",
        ),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    entry: str,
    module: str,
    message: str,
) -> None:
    package = "edges_" + uuid.uuid4().hex  # a module's name is taken once in a process
    install(tmp_path, entry.replace("edges_package", package), module, package)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_FAMILIES", Registry(registry.GROUP, "family", Family))
    families.cache_clear()
    registry._installed.cache_clear()
    try:
        with pytest.raises(RegistryError) as caught:
            cards()
    finally:
        families.cache_clear()
        registry._installed.cache_clear()
    assert "\n" not in str(caught.value)
    assert message.replace("edges_package", package) in str(caught.value)


def test_the_bundled_families_are_entries_like_any_other() -> None:
    assert set(families()) >= {"module", "quality", "watermark"}
    assert set(card_names()) >= {path.stem for path in CARDS.glob("*.toml")}
    for name in card_names():
        card = get_card(name)
        size = family_of(card).default_size(card)
        shapes = (*family_of(card).inputs(card, size), *family_of(card).outputs(card, size))
        assert all(side > 0 for shape in shapes for side in shape)
