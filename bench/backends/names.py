"""Names of the installed backends, without what it takes to use one: help lists them."""

from sealbench.converters.registry import names_of_group

GROUP = "sealbench.backends"
REFERENCE_BACKEND = "torch"
REFERENCE_FILE = "reference"
"""Runs the PyTorch modules that all files are compared with; every run measures it."""
DEFAULT_BACKEND = "litert"
"""Runs files where the user names no backend; other backends are compared with it."""


def file_backends() -> tuple[str, ...]:
    """Names of the installed backends that run files, in alphabetical order; imports none of them."""
    return tuple(name for name in names_of_group(GROUP) if name != REFERENCE_BACKEND)
