"""What commands share: checks of their options, before hours of work, output files and exit codes. Imports no torch."""

import argparse
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sealbench.converters.errors import ConverterError, StoreError
from sealbench.converters.families.watermark import variant_names
from sealbench.converters.shared_options import add_weights
from sealbench.datasets.errors import DatasetError

USAGE_ERROR = 2


def add_published_options(parser: argparse.ArgumentParser) -> None:
    """The options of the published scripts that say which model is converted, and where the file goes."""
    parser.add_argument("--model_name", required=True, metavar="VARIANT", help=f"one of: {', '.join(variant_names())}")
    add_weights(parser.add_argument)
    parser.add_argument("--output_dir", type=Path, default=Path("models"), help="default: ./models")


def require_at_least(parser: argparse.ArgumentParser, options: argparse.Namespace, least: Mapping[str, float]) -> None:
    """End the command with its usage where an option is too small, or NaN.

    Args:
        parser: of the command.
        options: as it read them; what is None was not given.
        least: by the name of an option the smallest count, share or percent that means something, in its unit.
    """
    for name, smallest in least.items():
        value = getattr(options, name)
        if value is not None and not value >= smallest:
            parser.error(f"--{name.replace('_', '-')} {value}: expected at least {smallest:g}")


def check_folder(folder: Path, option: str = "--output_dir") -> None:
    """Refuse a folder for outputs that cannot be made or written, and make nothing yet.

    For commands that may still refuse something else, and then leave nothing behind, or download before they write.

    Args:
        folder: may be there already.
        option: that chose it, for the message.

    Raises:
        StoreError: the folder, or where it would be made, is no folder or cannot be written.
    """
    place = folder.absolute()
    while not os.path.exists(place):  # noqa: PTH110 - Path.exists raises where a name is too long, or may not be looked up
        place = place.parent
    wrong = errno.ENOTDIR if not place.is_dir() else 0 if os.access(place, os.W_OK | os.X_OK) else errno.EACCES
    if wrong:
        raise _unwritable(folder, os.strerror(wrong), option)


def writable_folder(folder: Path, option: str = "--output_dir") -> Path:
    """Make a folder for outputs and those above it, before any work is done for them.

    Args:
        folder: may be there already.
        option: that chose it, for the message.

    Raises:
        StoreError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error.strerror or str(error), option) from error
    return folder


def _unwritable(folder: Path, why: str, option: str) -> StoreError:
    return StoreError(f"{folder}: cannot be written ({why}); choose another {option}")


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file so that the target is there whole or not at all.

    Raises:
        StoreError: the target cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder:
            shutil.copyfile(source, Path(folder) / target.name).replace(target)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written ({error.strerror})") from error


def exit_code(
    convert: Callable[[argparse.Namespace], None],
    parse: Callable[[Sequence[str] | None], argparse.Namespace],
    arguments: Sequence[str] | None,
) -> int:
    """Read a command's arguments and run it: 0, or 2 with one line on standard error for wrong input."""
    try:
        convert(parse(arguments))  # `parse` lists the models: it raises where a family cannot be loaded
    except (ConverterError, DatasetError) as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE_ERROR
    return 0
