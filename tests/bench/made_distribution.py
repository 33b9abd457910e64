"""A made-up installed package: what a user installs who adds a backend or a task."""

import os
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent


def make_distribution(folder: Path, name: str, entry_points: Mapping[str, str], modules: Mapping[str, str]) -> None:
    """Write a package as an installer leaves it.

    Args:
        folder: a place on the path of a process, see `on_path`.
        name: of the distribution.
        entry_points: lines of entry points, like `fake = fake_backend:BACKEND`, by their group.
        modules: source by the file's name below `folder`.
    """
    info = folder / f"{name}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(
        "".join(f"[{group}]\n{lines}\n" for group, lines in entry_points.items()),
    )
    for file, source in modules.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(dedent(source))


def on_path(*folders: Path, **more: str) -> dict[str, str]:
    """The environment of a process that finds packages in `folders`, with `more` variables."""
    path = [*map(str, folders), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path)), **more}
