"""What the commands of the bench check of their options, before hours of work."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from converters.errors import StoreError


def require_at_least(parser: argparse.ArgumentParser, options: argparse.Namespace, least: Mapping[str, float]) -> None:
    """End the command with its usage where an option is too small, or NaN.

    Args:
        parser: Of the command.
        options: As it read them.
        least: By the name of an option the smallest count, share or percent that means something, in its unit.
    """
    for name, smallest in least.items():
        value = getattr(options, name)
        if not value >= smallest:
            parser.error(f"--{name} {value}: expected at least {smallest:g}")


def make_folder(path: Path) -> None:
    """Make the folder that results will go to, and those above it.

    Raises:
        StoreError: It cannot be made, or is a file.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {path}: {error.strerror or error}; choose another --out") from error
