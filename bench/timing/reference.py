"""Loads the PyTorch model of a group in a worker process, to be timed there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sealbench.bench.backends.protocol import Session
from sealbench.bench.backends.worker.session import OpenRequest
from sealbench.bench.targets import Group
from sealbench.bench.tasks.given import known_card, origin_of
from sealbench.bench.tasks.registry import task_of
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.families import family_of


def reference_request(group: Group, threads: int) -> OpenRequest:
    """The PyTorch model of a group on so many threads; see `OpenRequest`."""
    weights = group.weights
    arguments = {
        "card": origin_of(group.variant),
        "weights": {
            "kind": weights.kind,
            "path": None if weights.path is None else str(weights.path.resolve()),
            "fingerprint": weights.fingerprint,
        },
        "size": str(group.size),
        "mode": group.mode,
        "threads": threads,
    }
    return OpenRequest(f"PyTorch's {group.variant.name}", f"{__name__}:reference_loader", arguments)


def reference_loader(
    card: dict[str, Any], weights: dict[str, Any], size: str, mode: str, threads: int
) -> Callable[[], Session]:
    """What loads the model of a group; the arguments are those of `reference_request`.

    Raises:
        ConverterError, RegistryError: there is no such model or task.
    """
    import torch  # noqa: F401 - the time to load the model does not include it

    variant = known_card(card)
    path = None if weights["path"] is None else Path(weights["path"])
    found = Weights(weights["kind"], path, weights["fingerprint"])
    group = Group(variant, found, ImageSize.parse(size), mode)
    task = task_of(variant)
    return lambda: task.reference(group, family_of(variant).model(variant, found), threads)
