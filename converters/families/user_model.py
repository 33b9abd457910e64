"""What a user's own factory gives: a module, what it takes, and where given data and a task. Imports torch.

The file is the user's own program, and runs because the user named it. Nothing else is ever run by its name.
"""

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from sealbench.converters.cards.module import ModuleCard
from sealbench.converters.errors import FactoryError
from sealbench.converters.export.graph import graph_fingerprint

DEFAULT_TASK = "tensor"
_EXPECTED = "(module, example), (module, example, dataset) or (module, example, dataset, task)"
_SEED = 0


@dataclass(frozen=True, eq=False)
class UserModel:
    """What a factory gave, checked.

    Attributes:
        source: the factory, as `FILE.py:FACTORY`.
        module: in evaluation mode.
        example: what it takes, float32, a batch of one each.
        outputs: what it gives of the example, flattened.
        dataset: inputs like the example; None where the factory gave none.
        task: the name of an installed task, or the user's own (`sealbench.bench.tasks.protocol.Task`).
    """

    source: str
    module: nn.Module
    example: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    dataset: Iterable[Any] | None
    task: Any

    @property
    def name(self) -> str:
        """That of the factory."""
        return self.source.rpartition(":")[2]

    def card(self) -> ModuleCard:
        """Its card. A task of the user's own goes by the model's name.

        Raises:
            FactoryError: PyTorch cannot trace the module.
        """
        try:
            graph = graph_fingerprint(self.module, self.example)
        except Exception as error:  # whatever tracing a foreign module raises
            raise FactoryError(
                f"{self.source}: torch.export cannot trace the module ({_words(error)}), and only what it can "
                "trace becomes a file: see PyTorch's page on torch.export"
            ) from error
        return ModuleCard(
            name=self.name,
            source=self.source,
            task=self.task if isinstance(self.task, str) else self.name,
            inputs=tuple(tuple(tensor.shape) for tensor in self.example),
            outputs=tuple(tuple(tensor.shape) for tensor in self.outputs),
            has_dataset=self.dataset is not None,
            graph=graph,
            own_weights=_values_fingerprint(self.module),
        )

    def samples(self) -> Iterator[tuple[Tensor, ...]]:
        """The inputs of the dataset one by one, of the shapes of the example; none where the factory gave no dataset.

        Raises:
            FactoryError: one is not like the example.
        """
        for number, item in enumerate(self.dataset or ()):
            yield _inputs(item, f"{self.source}: input {number} of the dataset", self.example)


@cache
def user_model(source: str) -> UserModel:
    """Call a factory, once in a process, and check what it gives.

    PyTorch's random numbers are seeded before, so that a module without trained values has the same ones every time.

    Args:
        source: `FILE.py:FACTORY`: a function without parameters in a Python file. The file's folder is put on the path,
            as Python does with a script's.

    Raises:
        FactoryError: there is no such file or function, it fails, or gives something else than a tuple of a
            `torch.nn.Module` and an example of what it takes, and optionally a dataset and a task.
    """
    made = _call(source)
    if not isinstance(made, tuple) or not 2 <= len(made) <= 4:
        raise FactoryError(f"{source}: returned {_kind(made)}; expected a tuple {_EXPECTED}")
    module, example = made[:2]
    dataset = made[2] if len(made) > 2 else None
    task = made[3] if len(made) > 3 else DEFAULT_TASK
    if not isinstance(module, nn.Module):
        raise FactoryError(f"{source}: returned {_kind(module)} first; expected a torch.nn.Module, as in {_EXPECTED}")
    if dataset is not None and (not _can_be_read(dataset) or iter(dataset) is dataset):
        raise FactoryError(
            f"{source}: returned {_kind(dataset)} as its dataset; expected a list, or anything else that can be read "
            "more than once, of inputs like the example"
        )
    inputs = _inputs(example, f"{source}: the example")
    return UserModel(source, module.eval(), inputs, _outputs(source, module, inputs), dataset, task)


def _call(source: str) -> Any:
    """What the factory returns."""
    file, _, factory = source.rpartition(":")
    path = Path(file)
    if path.suffix != ".py" or not factory.isidentifier():
        raise FactoryError(f"{source}: expected FILE.py:FACTORY, as in my_models.py:my_network")
    if not path.is_file():
        raise FactoryError(f"{source}: there is no file {path}; expected a Python file with the function {factory}")
    module = _imported(path.resolve(), source)
    found = getattr(module, factory, None)
    if not callable(found):
        known = ", ".join(name for name, value in vars(module).items() if _is_own_function(value, module))
        raise FactoryError(f"{source}: {path} has no function {factory}; it has {known or 'none'}")
    function: Callable[[], Any] = found
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        try:
            return function()
        except Exception as error:  # whatever a user's function raises
            raise FactoryError(
                f"{source}: the factory failed ({_words(error)}); it is called without arguments"
            ) from error


@cache
def _imported(path: Path, source: str) -> Any:
    """The user's file as a module, whose name says nothing of the folder: files hold the names of their classes."""
    name = f"user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file raises while it is imported
        raise FactoryError(
            f"{source}: {path} cannot be imported ({_words(error)}); run it with Python to see where"
        ) from error
    return module


def _inputs(found: Any, place: str, like: tuple[Tensor, ...] | None = None) -> tuple[Tensor, ...]:
    """What a module takes at once, as a tuple; FactoryError for anything but tensors, of the shapes of `like`."""
    inputs = tuple(found) if isinstance(found, tuple | list) else (found,)
    for tensor in inputs:
        if not isinstance(tensor, Tensor) or tensor.dtype != torch.float32 or tensor.ndim < 1 or tensor.shape[0] != 1:
            raise FactoryError(
                f"{place} is {_kind(found)}; expected a float32 tensor with a batch of one (first side 1), or a tuple "
                "of such; wrap a module that takes other numbers in one that converts them"
            )
    if not inputs:
        raise FactoryError(f"{place} is an empty tuple; expected a tensor for each input")
    shapes, expected = _shapes(inputs), _shapes(inputs if like is None else like)
    if shapes != expected:
        raise FactoryError(f"{place} has the shapes {shapes}; expected {expected}, those of the example")
    return inputs


def _outputs(source: str, module: nn.Module, example: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    with torch.inference_mode():
        try:
            found = module(*example)
        except Exception as error:  # whatever a user's module raises
            raise FactoryError(
                f"{source}: the module fails on its example of the shapes {_shapes(example)} ({_words(error)}); "
                "expected an example that it takes"
            ) from error
    outputs = tuple(tree_flatten(found)[0])
    if not outputs or not all(isinstance(output, Tensor) for output in outputs):
        raise FactoryError(
            f"{source}: the module gives {_kind(found)}; expected tensors, in tuples, lists or dictionaries"
        )
    return outputs


def _values_fingerprint(module: nn.Module) -> str:
    """SHA-256 over names, types, shapes and values of a module's state."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _can_be_read(dataset: Any) -> bool:
    return hasattr(dataset, "__iter__") or hasattr(dataset, "__getitem__")


def _is_own_function(value: Any, module: Any) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _shapes(tensors: tuple[Tensor, ...]) -> str:
    return ", ".join(str(tuple(tensor.shape)) for tensor in tensors)


def _kind(found: Any) -> str:
    """A value for a message: its type, and of tensors what else is checked."""
    if isinstance(found, Tensor):
        return f"a {str(found.dtype).removeprefix('torch.')} tensor {tuple(found.shape)}"
    if isinstance(found, tuple | list):
        return f"a {type(found).__name__} of {len(found)} ({', '.join(map(_kind, found[:4]))})"
    return f"a {type(found).__name__}"


def _words(error: Exception) -> str:
    """The first line of an error, with its class."""
    line = next((line for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {line.strip()}".removesuffix(": ")
