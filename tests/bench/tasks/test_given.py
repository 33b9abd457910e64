"""Models that a command line names by files: known by name here, and in a process that is told where they come from."""

import json
from pathlib import Path

import pytest

from sealbench.bench.tasks import given
from sealbench.bench.tasks.registry import task_of
from sealbench.bench.tasks.tensor import TASK, TensorTask
from sealbench.converters.cards.file import FileCard
from sealbench.converters.errors import CardError, RegistryError
from sealbench.converters.families import registry
from sealbench.converters.families.registry import get_card
from tests.bench.main_job import ROOT

MODELS = """
import torch
from sealbench.bench.tasks.tensor import TensorTask
def plain():
    return torch.nn.Linear(4, 2), torch.zeros(1, 4)
def with_a_task():
    return torch.nn.Linear(4, 2), torch.zeros(1, 4), None, TensorTask(suites=("my_suites",))
def with_no_task():
    return torch.nn.Linear(4, 2), torch.zeros(1, 4), None, 3
def videoseal():
    return torch.nn.Linear(4, 2), torch.zeros(1, 4)
"""


@pytest.fixture(autouse=True)
def nothing_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_ADDED", {})
    monkeypatch.setattr(given, "_FILES", {})


@pytest.fixture
def models(tmp_path: Path) -> Path:
    path = tmp_path / "models.py"
    path.write_text(MODELS)
    return path


def test_they_are_known_by_name_and_in_another_process(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(models.parent)
    seal = ROOT / "examples" / "tiny_seal.toml"
    cards = given.add_given(["models.py:plain"], [str(seal)])
    assert [card.name for card in cards] == ["tiny_seal", "plain"]
    assert [get_card(card.name) for card in cards] == list(cards)
    monkeypatch.setattr(registry, "_ADDED", {})  # as the other process begins
    monkeypatch.chdir("/")
    pair = FileCard("new", "/old.tflite", "int8", "", "2.3", ((1, 4),), ((1, 2), (1, 3)), "0" * 64)
    for card in (*cards, get_card("videoseal"), pair):
        origin = json.loads(json.dumps(given.origin_of(card)))
        assert given.known_card(origin) == card


def test_a_task_of_the_users_own_goes_by_the_models_name(models: Path) -> None:
    (card,) = given.add_given([f"{models}:with_a_task"], [])
    assert card.task == "with_a_task"
    assert isinstance(task_of(card), TensorTask)
    assert task_of(card).suites == ("my_suites",)
    assert given.known_card(json.loads(json.dumps(given.origin_of(card)))) == card
    (plain,) = given.add_given([f"{models}:plain"], [])
    assert task_of(plain) is TASK


def test_a_task_that_is_none_and_a_name_that_is_taken(models: Path) -> None:
    with pytest.raises(RegistryError, match=r"the task 'with_no_task' has no suites, default_datasets, .*; add them"):
        given.add_given([f"{models}:with_no_task"], [])
    with pytest.raises(CardError, match="a model is called videoseal already"):
        given.add_given([f"{models}:videoseal"], [])
