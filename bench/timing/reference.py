"""Loads the PyTorch model of a group in a worker process, to be timed there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sealbench.bench.backends.protocol import Session
from sealbench.bench.backends.worker.session import OpenRequest
from sealbench.bench.targets import Group
from sealbench.bench.tasks.given import known_card, origin_of
from sealbench.bench.tasks.reference_file import reference_file_request
from sealbench.bench.tasks.registry import task_of
from sealbench.converters.cards.file import FileCard
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.families import family_of


def reference_request(group: Group, threads: int) -> OpenRequest:
    """The PyTorch model of a group, or its reference file, on so many threads; see `OpenRequest`."""
    if isinstance(group.variant, FileCard):
        return reference_file_request(group.variant, threads)
    arguments = {
        "card": origin_of(group.variant),
        "weights": group.weights.as_json(),
        "size": [group.size.height, group.size.width],
        "mode": group.mode,
        "threads": threads,
    }
    return OpenRequest(f"PyTorch's {group.variant.name}", f"{__name__}:reference_loader", arguments)


def reference_loader(
    card: Mapping[str, Any], weights: Mapping[str, str | None], size: Sequence[int], mode: str, threads: int
) -> Callable[[], Session]:
    """What loads the model of a group; the arguments are those of `reference_request`.

    Raises:
        ConverterError, RegistryError: there is no such model or task.
    """
    import torch  # noqa: F401 - the time to load the model does not include it

    variant, found = known_card(card), Weights.from_json(weights)
    group = Group(variant, found, ImageSize(*size), mode)
    task = task_of(variant)
    return lambda: task.reference(group, family_of(variant).model(variant, found), threads)
