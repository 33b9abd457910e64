"""Factories of users: what they may return, and what is said of one that returns something else."""

from pathlib import Path
from textwrap import dedent

import pytest
import torch

from sealbench.converters.errors import FactoryError
from sealbench.converters.families.module_model import calibration_arrays, evaluation_samples
from sealbench.converters.families.user_model import user_model

HEAD = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
    def forward(self, x):
        return self.layer(x)
X = torch.zeros(1, 4)
"""


def source(folder: Path, body: str, factory: str = "made", head: str = HEAD) -> str:
    path = folder / "models.py"
    path.write_text(head + dedent(body))
    return f"{path}:{factory}"


def made(folder: Path, returned: str) -> str:
    return source(folder, f"def made():\n    return {returned}\n")


def test_what_a_factory_gives(tmp_path: Path) -> None:
    model = user_model(made(tmp_path, "Net().train(), X, [X + n for n in range(12)], 'watermark'"))
    assert not model.module.training
    assert [tuple(tensor.shape) for tensor in model.outputs] == [(1, 3)]
    assert (model.name, model.task) == ("made", "watermark")
    card = model.card()
    assert (card.name, card.inputs, card.outputs, card.has_dataset) == ("made", ((1, 4),), ((1, 3),), True)
    assert [arrays[0][0, 0] for arrays in calibration_arrays(card)] == list(range(8))
    assert [(sample.id, sample.arrays[0][0, 0]) for sample in evaluation_samples(card, 3)] == [
        ("8", 8.0),
        ("9", 9.0),
        ("10", 10.0),
    ]


def test_the_shortest_factory_is_a_task_on_tensors_and_calibrated_with_random_inputs(tmp_path: Path) -> None:
    card = user_model(made(tmp_path, "Net(), X")).card()
    assert (card.task, card.has_dataset) == ("tensor", False)
    first, *others = calibration_arrays(card)
    assert len(others) == 7
    assert first[0].shape == (1, 4)
    assert 0 <= first[0].min() < first[0].max() < 1
    assert first[0].tolist() != others[0][0].tolist()


def test_untrained_values_are_the_same_every_time(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    cards = []
    for place in ("a", "b"):  # as another process would find it
        state = torch.random.get_rng_state()
        cards.append(user_model(made(tmp_path / place, "Net(), X")).card())
        assert torch.equal(torch.random.get_rng_state(), state)
    assert cards[0].own_weights == cards[1].own_weights
    assert cards[0].graph == cards[1].graph


def test_values_and_graph_are_told_apart(tmp_path: Path) -> None:
    bodies = {
        "plain": "Net()",
        "values": "nn.Sequential(Net())",  # other names of the same values
        "graph": "type('N', (Net,), {'forward': lambda self, x: self.layer(x) * 2})()",
        "constant": "type('N', (Net,), {'forward': lambda self, x: self.layer(x) + torch.tensor([1.0, 2.0, 3.0])})()",
        "another": "type('N', (Net,), {'forward': lambda self, x: self.layer(x) + torch.tensor([1.0, 2.0, 4.0])})()",
    }
    cards = {}
    for name, body in bodies.items():
        (tmp_path / name).mkdir()
        cards[name] = user_model(made(tmp_path / name, f"{body}, X")).card()
    assert cards["plain"].own_weights != cards["values"].own_weights
    for name in ("graph", "constant", "another"):
        assert cards[name].own_weights == cards["plain"].own_weights
    assert len({cards[name].graph for name in ("plain", "graph", "constant", "another")}) == 4


def test_several_inputs_and_nested_outputs_keep_their_order(tmp_path: Path) -> None:
    body = """
    class Two(nn.Module):
        def forward(self, a, b):
            return {"sum": a + b, "parts": (a, [b[:, :2]])}
    def made():
        return Two(), (X, X)
    """
    card = user_model(source(tmp_path, body)).card()
    assert card.inputs == ((1, 4), (1, 4))
    assert card.outputs == ((1, 4), (1, 4), (1, 2))


def test_a_file_imports_what_stands_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside_the_models.py").write_text("WIDTH = 4\n")
    body = "from beside_the_models import WIDTH\ndef made():\n    return Net(), torch.zeros(1, WIDTH)\n"
    assert user_model(source(tmp_path, body)).card().inputs == ((1, 4),)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("Net()", r"returned a Net; expected a tuple \(module, example\), "),
        ("(Net(),)", r"returned a tuple of 1 \(a Net\); expected a tuple"),
        ("X, Net()", r"returned a float32 tensor \(1, 4\) first; expected a torch.nn.Module"),
        ("Net(), [1, 2]", r"the example is a list of 2 .*; expected a float32 tensor with a batch of one"),
        ("Net(), X.long()", r"the example is a int64 tensor \(1, 4\); expected a float32 tensor"),
        ("Net(), torch.zeros(2, 4)", r"the example is a float32 tensor \(2, 4\); .*\(first side 1\)"),
        ("Net(), ()", "the example is an empty tuple"),
        ("Net(), torch.zeros(1, 5)", r"fails on its example of the shapes \(1, 5\) \(RuntimeError: .*\); expected an"),
        ("Net(), X, (x for x in [X])", "returned a generator as its dataset; expected a list"),
        ("Net(), X, 3", "returned a int as its dataset"),
    ],
)
def test_what_a_factory_may_not_give(tmp_path: Path, returned: str, message: str) -> None:
    text = made(tmp_path, returned)
    with pytest.raises(FactoryError, match=message) as error:
        user_model(text)
    assert str(error.value).startswith(text)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def other(): pass\nmade = 3\n", "has no function made; it has Net, other"),
        ("def made(path): pass\n", "the factory failed .*missing 1 required positional argument: 'path'.*without arg"),
        ("def made():\n    raise OSError('no such checkpoint')\n", r"failed \(OSError: no such checkpoint\)"),
        ("import no_such_package\n", r"models.py cannot be imported \(ModuleNotFoundError: No module named 'no_such_p"),
        ("def made(:\n", r"cannot be imported \(SyntaxError"),
    ],
)
def test_a_file_without_a_factory(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(FactoryError, match=message):
        user_model(source(tmp_path, body))


@pytest.mark.parametrize("text", ["models.py", "models:made", "models.py:", "models.py:a.b"])
def test_a_text_that_names_no_factory(text: str) -> None:
    with pytest.raises(FactoryError, match=r"expected FILE.py:FACTORY, as in my_models.py:my_network"):
        user_model(text)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(
        FactoryError, match=r"there is no file .*none.py; expected a Python file with the function made"
    ):
        user_model(f"{tmp_path}/none.py:made")


def test_a_module_that_cannot_be_traced(tmp_path: Path) -> None:
    body = """
    class Counts(nn.Module):
        def forward(self, x):
            return torch.zeros(int(x.sum()) + 1, 2)
    def made():
        return Counts(), X
    """
    with pytest.raises(FactoryError, match=r"torch.export cannot trace the module \(GuardOnDataDependentSymNode"):
        user_model(source(tmp_path, body)).card()


def test_a_dataset_that_is_too_small_or_of_other_shapes(tmp_path: Path) -> None:
    card = user_model(made(tmp_path, "Net(), X, [X] * 8")).card()
    with pytest.raises(FactoryError, match="has 8 inputs or fewer; expected more: the first 8 calibrate"):
        evaluation_samples(card, 4)
    (tmp_path / "other").mkdir()
    card = user_model(made(tmp_path / "other", "Net(), X, [X] * 9 + [X[:, :3]]")).card()
    assert len(evaluation_samples(card, 1)) == 1
    with pytest.raises(FactoryError, match=r"input 9 of the dataset has the shapes \(1, 3\); expected \(1, 4\)"):
        evaluation_samples(card, 2)
