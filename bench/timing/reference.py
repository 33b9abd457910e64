"""Loads the PyTorch model of a group in a worker process, to be timed there."""

from collections.abc import Callable, Mapping

from sealbench.bench.backends.protocol import Session
from sealbench.bench.backends.worker.session import OpenRequest
from sealbench.bench.targets import Group
from sealbench.bench.tasks.registry import task_of
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.families import family_of
from sealbench.converters.families.registry import get_card


def reference_request(group: Group, threads: int) -> OpenRequest:
    """The PyTorch model of a group on so many threads; see `OpenRequest`."""
    arguments = {
        "variant": group.variant.name,
        "weights": group.weights.as_json(),
        "size": str(group.size),
        "mode": group.mode,
        "threads": threads,
    }
    return OpenRequest(f"PyTorch's {group.variant.name}", f"{__name__}:reference_loader", arguments)


def reference_loader(
    variant: str, weights: Mapping[str, str | None], size: str, mode: str, threads: int
) -> Callable[[], Session]:
    """What loads the model of a group; the arguments are those of `reference_request`.

    Raises:
        ConverterError, RegistryError: there is no such model or task.
    """
    import torch  # noqa: F401 - the time to load the model does not include it

    card = get_card(variant)
    found = Weights.from_json(weights)
    group = Group(card, found, ImageSize.parse(size), mode)
    task = task_of(card)
    return lambda: task.reference(group, family_of(card).model(card, found), threads)
