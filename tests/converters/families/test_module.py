"""Users' modules as a family: sizes, keys in the store, and files of every precision that are compared with PyTorch."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from sealbench.bench.backends.registry import backend_of
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.module import ModuleCard
from sealbench.converters.errors import ImageSizeError, ModelFileError, WeightsError
from sealbench.converters.export.precisions import PRECISIONS, get_precision
from sealbench.converters.families import family_of
from sealbench.converters.families.shapes import picture_size
from sealbench.converters.families.user_model import user_model
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.rewrites import CHOICES, choose_rewrites
from sealbench.converters.store import ArtifactSpec, ArtifactStore
from sealbench.converters.tflite.model_file import read_model_file
from sealbench.converters.tflite.weight_slopes import slope_error, unmatched_pct, weight_slopes
from sealbench.converters.tflite.weights import file_weights

# Norms, factors and branches, with outputs in an order that is not the alphabet's and two of one shape.
MODELS = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16)
        self.depth, self.point = nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.Conv2d(16, 16, 1)
        self.head = nn.Linear(16, 10)
        self.norm.running_var.fill_(0.2)
    def forward(self, images, gain):
        x = torch.relu(self.norm(self.first((images - 0.45) / 0.22)))
        y = torch.relu(self.point(self.depth(x))) * gain
        return {"z": self.head(y.mean((2, 3))), "maps": (x, y), "a": y.mean((2, 3))}
def net():
    return Net(), (torch.rand(1, 3, 16, 16), torch.ones(1, 1))
"""
CARD = ModuleCard("net", "models.py:net", "tensor", ((1, 3, 16, 16), (1, 1)), ((1, 10),), False, "0" * 64, "1" * 64)
FAMILY = family_of(CARD)


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModuleCard:
    path = tmp_path_factory.mktemp("models") / "models.py"
    path.write_text(MODELS)
    return user_model(f"{path}:net").card()


def spec_of(card: ModuleCard, precision: str = "float32") -> ArtifactSpec:
    return ArtifactSpec(card, find_weights(card), get_precision(precision), FAMILY.default_size(card))


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 3, 48, 64), ImageSize(48, 64)),
        ((1, 48, 64, 3), ImageSize(48, 64)),
        ((1, 1, 28, 28), ImageSize(28, 28)),
        ((1, 16000), ImageSize(1, 16000)),
        ((1, 80, 300), ImageSize(80, 300)),
        ((1,), ImageSize(1, 1)),
    ],
)
def test_the_size_is_that_of_the_picture_or_of_the_last_two_sides(shape: tuple[int, ...], size: ImageSize) -> None:
    assert FAMILY.default_size(dataclasses.replace(CARD, inputs=(shape,))) == size
    assert (picture_size(shape) is not None) == (len(shape) == 4)


def test_one_size_and_its_own_weights() -> None:
    FAMILY.check_size(CARD, ImageSize(16, 16), "simple")
    for size, mode in ((ImageSize(32, 32), "simple"), (ImageSize(16, 16), "resize")):
        with pytest.raises(ImageSizeError, match=r"net takes inputs of \(1, 3, 16, 16\), \(1, 1\); leave --image-size"):
            FAMILY.check_size(CARD, size, mode)
    assert find_weights(CARD) == dataclasses.replace(find_weights(CARD), kind="own", path=None, fingerprint="1" * 64)
    with pytest.raises(WeightsError, match="net: brings its own values; found --weights seeded, leave it out"):
        find_weights(CARD, "seeded")
    assert {choose_rewrites(choice, CARD) for choice in CHOICES} == {()}


def test_what_changes_the_model_changes_the_key() -> None:
    key = spec_of(CARD, "int8").key
    changes = ({"graph": "2" * 64}, {"own_weights": "2" * 64}, {"inputs": ((1, 3, 16, 17), (1, 1))}, {"name": "other"})
    keys = {spec_of(dataclasses.replace(CARD, **change), "int8").key for change in changes}
    assert len(keys | {key}) == 5
    moved = dataclasses.replace(CARD, source="elsewhere/models.py:net", has_dataset=True)
    assert spec_of(moved, "int8").key == key


@pytest.mark.convert
def test_files_of_every_precision_give_what_pytorch_gives(card: ModuleCard, tmp_path: Path) -> None:
    """In the order of the module, not of the names; and their weights are those of the float32 file."""
    store, model = ArtifactStore(tmp_path / "store"), FAMILY.model(card, find_weights(card))
    assert card.outputs == ((1, 10), (1, 16, 8, 8), (1, 16, 8, 8), (1, 16))
    rng = np.random.default_rng(0)
    inputs = (rng.random((1, 3, 16, 16), dtype=np.float32), np.full((1, 1), 3, np.float32))
    expected = backend_of("torch").open(model.network, 1)(*inputs)
    state = file_weights(store.get(spec_of(card), model).path)
    errors = {}
    for precision in PRECISIONS:
        path = store.get(spec_of(card, precision), model).path
        assert path.name == f"net_16{'' if precision == 'float32' else f'_{precision}'}.tflite"
        FAMILY.check_file(read_model_file(path), card, ImageSize(16, 16))
        found = backend_of("litert").open(path, 1)(*inputs)
        errors[precision] = max(
            float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, expected, strict=True)
        )
        if precision != "float32":
            slopes = weight_slopes(path, state, FAMILY.image_scale)
            assert unmatched_pct(slopes) == 0
            assert slope_error(slopes) < 0.02
    assert errors["float32"] < 1e-5
    assert errors["fp16"] < 2e-3
    assert max(errors["int8"], errors["int8_weight_only"], errors["int8_static"]) < 0.05
    assert errors["float32"] < errors["fp16"] < errors["int8"] < errors["int4"] < 0.5

    other = dataclasses.replace(card, outputs=card.outputs[::-1])
    with pytest.raises(ModelFileError, match=r"not like net; expected .* found "):
        FAMILY.check_file(read_model_file(path), other, ImageSize(16, 16))


def test_the_reference_gives_every_output_flattened() -> None:
    class Nested(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, object]:
            return {"b": x + 1, "a": [x.to(torch.int64), (x * 2,)]}

    found = backend_of("torch").open(Nested(), 1)(np.full((1, 2), 2, np.float32))
    assert [array.tolist() for array in found] == [[[3, 3]], [[2, 2]], [[4, 4]]]
