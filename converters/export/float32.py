"""A PyTorch module to a float32 `.tflite` file."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from sealbench.converters.export.quiet import quiet_unless_failing

# The module of a class as a file's tensor names have it. A file must not change because a class moved in the source.
_NAMES_IN_FILES = {
    "converters.export.detector": "converters.export",
    "converters.export.embedder": "converters.export_embedder",
    "converters.export.uvq": "converters.models.uvq.exporting",
}


def write_float32(module: nn.Module, path: Path, *samples: Any, **options: Any) -> None:
    """Convert a module in evaluation mode and write it to `path`.

    Args:
        module: what is converted.
        path: of the `.tflite` file.
        samples: what `litert_torch.convert` takes after the module: a tuple of example inputs.
        options: its keyword arguments.
    """
    with quiet_unless_failing(), _names_without_places(module):
        import litert_torch

        litert_torch.convert(module, *samples, **options).export(str(path))


@contextlib.contextmanager
def _names_without_places(module: nn.Module) -> Iterator[None]:
    """Within, the classes of our modules go by a module name that does not follow the source tree."""
    ours = {type(part) for part in module.modules() if type(part).__module__.startswith("sealbench.")}
    before = {kind: kind.__module__ for kind in ours}
    try:
        for kind, name in before.items():
            place = name.removeprefix("sealbench.")
            kind.__module__ = _NAMES_IN_FILES.get(place, place)
        yield
    finally:
        for kind, name in before.items():
            kind.__module__ = name
