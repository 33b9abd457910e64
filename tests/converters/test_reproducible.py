"""Converting again gives the same bytes, whichever process does it."""

from pathlib import Path

import pytest

from sealbench.converters.cards.card import Card
from sealbench.converters.export.precisions import PRECISIONS, get_precision
from sealbench.converters.families import family_of
from sealbench.converters.families.registry import get_card
from sealbench.converters.families.user_model import user_model
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.rewrites import choose_rewrites
from sealbench.converters.store import ArtifactSpec, ArtifactStore, sha256_again

pytestmark = pytest.mark.convert

# As a convolution, a norm, a linear layer and an attention-like product have weights of every kind.
MODELS = """
import os
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32)
        self.depth, self.head = nn.Conv2d(32, 32, 3, padding=1, groups=32), nn.Linear(32, 8)
        self.table = nn.Parameter(torch.randn(1, 8, 8))
    def forward(self, x):
        y = self.depth(torch.relu(self.norm(self.conv(x))))
        return self.head(y.mean((2, 3))), self.table @ y[:, 0]
def net():
    return Net(), torch.zeros(1, 3, 16, 16)
def another_in_every_process():
    model = Net()
    model.register_buffer("process", torch.tensor(float(os.getpid())))
    model.forward = lambda x: Net.forward(model, x)[0] * model.process
    return model, torch.zeros(1, 3, 16, 16)
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "models.py"
    path.write_text(MODELS)
    return path


def spec_of(card: Card, precision: str) -> ArtifactSpec:
    size, rewrites = family_of(card).default_size(card), choose_rewrites("auto", card)
    return ArtifactSpec(card, find_weights(card), get_precision(precision), size, rewrites=rewrites)


def is_reproducible(spec: ArtifactSpec) -> bool:
    made = ArtifactStore().get(spec, spec.family.model(spec.variant, spec.weights))
    return made.sha256 == sha256_again(spec)


def test_another_process_makes_the_same_int8_file_and_so_the_same_float32_file(models: Path) -> None:
    """An int8 file is made of the float32 file, which the other process makes first."""
    spec = spec_of(user_model(f"{models}:net").card(), "int8")
    assert is_reproducible(spec)


@pytest.mark.long
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("model", ["net", "videoseal_nano", "uvq1p5_aggregation"])
def test_every_precision(models: Path, model: str, precision: str) -> None:
    card = user_model(f"{models}:net").card() if model == "net" else get_card(model)
    assert is_reproducible(spec_of(card, precision))


@pytest.mark.long
def test_a_model_that_differs_from_process_to_process_is_found(models: Path) -> None:
    card = user_model(f"{models}:another_in_every_process").card()
    assert not is_reproducible(spec_of(card, "float32"))
