"""A file as the reference of another: what is refused, and what is known of both."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sealbench.converters.cards.file import FileCard
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.errors import CardError, ModelFileError, WeightsError
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.families import family_of
from sealbench.converters.families.file import file_card
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.store import ArtifactSpec, ArtifactStore
from tests.bench.tiny import NBITS, file_like_nano, tiny_tflite

pytestmark = pytest.mark.convert

# What needs no PyTorch: a card, and the copy that stands for the float32 file.
WITHOUT_TORCH = """
import sys
from pathlib import Path
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.families import family_of
from sealbench.converters.families.file import file_card
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.store import ArtifactSpec, ArtifactStore
card, precision = file_card(Path("tiny.tflite"), Path("tiny.tflite"))
family, weights = family_of(card), find_weights(card)
spec = ArtifactSpec(card, weights, get_precision("float32"), family.default_size(card))
print(ArtifactStore(Path("store")).get(spec, family.model(card, weights)).sha256 == card.own_weights)
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_tflite())
    return path


def test_what_is_known_of_a_pair(tiny: Path, tmp_path: Path) -> None:
    new = tmp_path / "release_2.tflite"
    new.write_bytes(tiny.read_bytes())
    card, precision = file_card(new, tiny)
    assert (card.name, card.source, card.precision, precision.name) == ("release_2", str(tiny), "float32", "float32")
    assert (card.inputs, card.outputs, card.task) == (((1, 32, 32, 3),), ((1, 1 + NBITS),), "tensor")
    family = family_of(card)
    assert family.default_size(card) == ImageSize(32, 32)
    assert find_weights(card).kind == "own"
    store = ArtifactStore(tmp_path / "store")
    spec = ArtifactSpec(card, find_weights(card), get_precision("float32"), ImageSize(32, 32))
    copy = store.get(spec, family.model(card, find_weights(card)))
    assert copy.sha256 == card.own_weights
    moved = dataclasses.replace(card, source="elsewhere.tflite", python="python3.12", engine="1.4")
    assert dataclasses.replace(spec, variant=moved).key == spec.key
    for refused in (lambda: find_weights(card, "seeded"), lambda: family.checkpoints(card, tiny)):
        with pytest.raises(WeightsError):
            refused()
    with pytest.raises(CardError, match=r"a file has no card; compare it with another by --file FILE --reference FILE"):
        family.read_card("x", {}, "x.toml")


def test_files_of_other_tensors_are_refused(tiny: Path, tmp_path: Path) -> None:
    other = tmp_path / "nano.tflite"
    other.write_bytes(file_like_nano())
    with pytest.raises(
        ModelFileError, match=r"nano.tflite: not like its reference .*tiny.tflite; expected \(1, 32, 32, 3"
    ):
        file_card(other, tiny)
    with pytest.raises(ModelFileError, match=r"none.tflite: no such file"):
        file_card(tiny, tmp_path / "none.tflite")
    (tmp_path / "text.tflite").write_text("no model at all")
    with pytest.raises(ModelFileError, match=r"text.tflite: not a TFLite model"):
        file_card(tmp_path / "text.tflite", tiny)


def test_no_pytorch_is_needed(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('torch was imported')\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", WITHOUT_TORCH]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr


def test_a_card_is_of_its_family(tiny: Path) -> None:
    card, _ = file_card(tiny, tiny)
    assert isinstance(card, FileCard)
    assert card.family == "file"
