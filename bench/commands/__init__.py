"""`sealbench COMMAND ...`: one module for each subcommand, in this folder.

A command's module has the name of the command, `-` written as `_`. The first line of its docstring is its line in the
list of commands; its `main` takes what follows the command's name and gives the exit code. A new file here is a new
command. Nothing heavy is imported before a command is known.
"""

import ast
import difflib
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

from sealbench.bench.errors import INPUT_ERRORS, USAGE_ERROR

_FOLDER = Path(__file__).parent
_USAGE = "usage: sealbench COMMAND ...      (sealbench COMMAND --help lists the options of a command)"


def commands() -> dict[str, str]:
    """Every subcommand, in alphabetical order, with the sentence that says what it does."""
    files = sorted(path for path in _FOLDER.glob("*.py") if path.stem != "__init__")
    return {path.stem.replace("_", "-"): _first_line(path) for path in files}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    Args:
        arguments: without the program's name; those of the process when None.

    Returns:
        The command's exit code; 2 with one line on standard error where the input is wrong.
    """
    name, *rest = [*(sys.argv[1:] if arguments is None else arguments)] or [""]
    known = commands()
    if name in {"-h", "--help"}:
        print(_usage(known))
        return 0
    if name not in known:
        print(_usage(known), file=sys.stderr)
        print(f"error: {_unknown(name, known)}", file=sys.stderr)
        return USAGE_ERROR
    command = import_module(f"{__name__}.{name.replace('-', '_')}").main
    try:
        code: int = command(rest)
    except INPUT_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE_ERROR
    return code


def _usage(known: dict[str, str]) -> str:
    width = max(map(len, known))
    return "\n".join([_USAGE, "", *(f"{name:{width}}  {line}" for name, line in known.items())])


def _unknown(name: str, known: Iterable[str]) -> str:
    if not name:
        return "no command"
    close = difflib.get_close_matches(name, known, n=3)
    return f"unknown command {name!r}" + (f"; did you mean {' or '.join(close)}?" if close else "")


def _first_line(path: Path) -> str:
    """Of a module's docstring, read without importing the module."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]
