"""Loads the PyTorch model of a group in the process that times it. Imports torch, which loading does not include."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch  # noqa: F401

from sealbench.bench.targets import Group
from sealbench.bench.tasks.registry import task_of
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.families import family_of
from sealbench.converters.families.registry import get_card


def reference_loader(what: Mapping[str, Any]) -> Callable[[], Callable[[], object]]:
    """What loads the model and gives its call on one image of made-up values.

    Args:
        what: a request of `sealbench.bench.timing.process.reference_request`.

    Raises:
        ConverterError, RegistryError: there is no such model or task.
    """
    card, weights = get_card(what["variant"]), what["weights"]
    path = None if weights["path"] is None else Path(weights["path"])
    found = Weights(weights["kind"], path, weights["fingerprint"])
    group = Group(card, found, ImageSize.parse(what["size"]), what["mode"])
    task = task_of(card)

    def load() -> Callable[[], object]:
        run = task.reference(group, family_of(card).model(card, found), what["threads"])
        inputs = task.random_inputs(group)
        return lambda: run(*inputs)

    return load
