"""A reference that is a file: where it runs, here or in another environment with another LiteRT."""

import subprocess
import tempfile
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from sealbench import bench, converters, datasets, reports
from sealbench.bench.backends.names import DEFAULT_BACKEND
from sealbench.bench.backends.worker.process import COMMAND
from sealbench.bench.backends.worker.session import OpenRequest, file_request
from sealbench.bench.errors import OptionError
from sealbench.converters.cards.file import FileCard

_GROUP = "sealbench.backends"
_LIMIT_S = 120
_ENGINE = "import importlib.metadata as m, numpy, ai_edge_litert.interpreter; print(m.version('ai-edge-litert'))"


def reference_file_request(card: FileCard, threads: int) -> OpenRequest:
    """The reference of a card, as a worker process opens it."""
    command = _command(card.python) if card.python else COMMAND
    return file_request(DEFAULT_BACKEND, Path(card.source), threads, command=command)


def engine_of(python: str) -> str:
    """Version of LiteRT in the environment of a Python interpreter.

    Args:
        python: path of the interpreter; Python 3.11 or newer.

    Raises:
        OptionError: it does not run, or has no LiteRT or NumPy.
    """
    option = f"--reference-python {python}"
    try:
        # -E: what our own environment says to Python is not meant for that one.
        done = subprocess.run(  # noqa: S603 - an interpreter that the user named, no shell
            [python, "-E", "-c", f"import sys; assert sys.version_info >= (3, 11), sys.version; {_ENGINE}"],
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OptionError(f"{option}: cannot be run ({error}); expected a Python interpreter") from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise OptionError(
            f"{option}: cannot run files ({said}); expected Python 3.11 or newer with numpy and ai-edge-litert: "
            "install them there"
        )
    return done.stdout.strip().splitlines()[-1]


def _command(python: str) -> tuple[str, ...]:
    """Starts a worker in another environment, with our modules and that environment's packages."""
    start = (
        "import sys; sys.path.insert(0, sys.argv[1]); from sealbench.bench.backends.worker.server import main; main()"
    )
    return (python, "-E", "-c", start, _modules().name)


@cache
def _modules() -> "tempfile.TemporaryDirectory[str]":
    """A folder with nothing but sealbench, to be put on the path of another interpreter; removed at the end.

    Our own place may hold other packages, which would stand before those of that environment.
    """
    folder = tempfile.TemporaryDirectory(prefix="sealbench-modules-")
    package = Path(folder.name) / "sealbench"
    package.mkdir()
    (package / "__init__.py").touch()
    for part in (bench, converters, datasets, reports):
        (package / part.__name__.rpartition(".")[2]).symlink_to(Path(str(part.__file__)).parent)
    info = Path(folder.name) / "sealbench-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sealbench\nVersion: 0\n", encoding="utf-8")
    lines = [f"{point.name} = {point.value}" for point in entry_points(group=_GROUP) if point.name == DEFAULT_BACKEND]
    (info / "entry_points.txt").write_text("\n".join([f"[{_GROUP}]", *lines, ""]), encoding="utf-8")
    return folder


def described(card: FileCard) -> dict[str, str]:
    """What environment.json records of the reference's engine."""
    return {"file": Path(card.source).name, "ai-edge-litert": card.engine}
