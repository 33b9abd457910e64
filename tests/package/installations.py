"""Builds the distribution from a copy of the checkout and installs it into environments of its own."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[2]
FOLDERS = ("bench", "converters", "datasets", "reports")
DESCRIPTION = ("pyproject.toml", "README.md", "LICENSE")
# pip of the running environment, which has setuptools too: nothing is downloaded to build.
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def run(command: Sequence[str | Path], folder: Path, **environment: str) -> str:
    """Run a command to its end.

    Args:
        command: program and arguments.
        folder: where it runs.
        environment: variables that are set or replaced.

    Returns:
        What it printed on standard output.

    Raises:
        AssertionError: it ended with another code than 0.
    """
    done = ended(command, folder, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def ended(command: Sequence[str | Path], folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as `run` does, whatever its exit code."""
    # A path that a test runner was started with would put the checkout before what is installed.
    inherited = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONSAFEPATH"}}
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def copy_checkout(folder: Path) -> Path:
    """Copy what a distribution is built from: the checkout's own `build` and `egg-info` may hold files of the past."""
    folder.mkdir(parents=True)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "out", "*.egg-info"))
    for name in DESCRIPTION:
        shutil.copy(ROOT / name, folder / name)
    return folder


def build_wheel(source: Path, folder: Path) -> Path:
    """Build the wheel of a source folder or an sdist into `folder`; its path."""
    folder.mkdir(parents=True)
    run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source], folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def build_sdist(source: Path, folder: Path) -> Path:
    """Build the source distribution of a source folder into `folder`; its path."""
    folder.mkdir(parents=True)
    code = f"from setuptools.build_meta import build_sdist; build_sdist({str(folder)!r})"
    run([sys.executable, "-c", code], source)
    (sdist,) = folder.glob("*.tar.gz")
    return sdist


def names_in(wheel: Path) -> set[str]:
    """The files of a wheel."""
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


@dataclass(frozen=True)
class Installation:
    """A virtual environment.

    Attributes:
        folder: where it lies.
    """

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        """Where its packages lie."""
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.folder)}))

    @property
    def listing(self) -> dict[str, tuple[int, int]]:
        """Size in bytes and time of change (ns) of each installed file of sealbench, without compiled bytecode."""
        return {
            str(path.relative_to(self.site_packages)): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in (self.site_packages / "sealbench").rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }

    def install(self, *what: str | Path) -> None:
        """Let the running environment's pip install into this one."""
        run([*PIP, "--python", self.python, "install", *what], self.folder)


def new_installation(folder: Path) -> Installation:
    """Make an empty environment that borrows the packages of the running one.

    They are named in a .pth file: such a line only extends the path, behind this environment's own packages, and the
    .pth files of the folder that it names are not read, so an editable sealbench there is not found.
    """
    venv.create(folder, with_pip=False)
    installation = Installation(folder)
    own = Path(sysconfig.get_path("purelib"))
    lent = [own, *(Path(line) for pth in own.glob("*.pth") for line in pth.read_text().splitlines() if line[:1] == "/")]
    (installation.site_packages / "lent.pth").write_text("".join(f"{path}\n" for path in lent), encoding="utf-8")
    return installation
