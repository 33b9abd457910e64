"""The run's own files inside the page, so that who has the page has the numbers."""

import base64
import gzip
from dataclasses import dataclass
from pathlib import Path

from sealbench.reports.files import packed_name
from sealbench.reports.run.reader import ENVIRONMENT, GATES
from sealbench.reports.schema.tables import (
    BITS,
    DURATIONS,
    ERROR_TERMS,
    IMAGES,
    LATENCY,
    LAYER_ERRORS,
    OUTPUTS,
    PLAN,
    RESULTS,
    SCORES,
    WORST_IMAGES,
)

# The order on the page. Where a table was packed, its packed form.
_FILES = (
    RESULTS,
    "summary.csv",
    "verdicts.csv",
    PLAN,
    LATENCY,
    WORST_IMAGES,
    BITS,
    SCORES,
    OUTPUTS,
    IMAGES,
    ERROR_TERMS,
    LAYER_ERRORS,
    DURATIONS,
    ENVIRONMENT,
    GATES,
)
_TYPES = {".csv": "text/csv", ".json": "application/json", ".toml": "application/toml", ".gz": "application/gzip"}
_HOPELESS = 30  # no table of numbers packs better
_PLAIN_BYTES = 100_000  # what is larger is packed in the page: text becomes a tenth


@dataclass(frozen=True)
class EmbeddedFile:
    """A file of the run.

    Attributes:
        name: Its path in the run's folder.
        size_bytes: Of the file in the folder.
        download: The name under which a browser saves it; ends in .gz where it is packed.
        link: A data: link, or "" where the page has no room for it.
    """

    name: str
    size_bytes: int
    download: str
    link: str

    @property
    def size_text(self) -> str:
        """The size for people."""
        return f"{self.size_bytes / 1e3:.0f} kB" if self.size_bytes < 1e6 else f"{self.size_bytes / 1e6:.1f} MB"


def embedded_files(run_dir: Path, room_bytes: int) -> list[EmbeddedFile]:
    """Put as many files of a run as fit into links.

    Args:
        run_dir: A run's folder.
        room_bytes: How long all links together may be.

    Returns:
        Every file that the folder has; the smallest have their links first.
    """
    found = {
        path: _read(path) for name in _FILES for path in (run_dir / name, packed_name(run_dir / name)) if path.is_file()
    }
    links: dict[Path, tuple[str, str]] = {}
    for path, data in sorted(found.items(), key=lambda item: len(item[1])):
        # Base64 makes four of three: what cannot fit even when packed well is not packed at all.
        if not data or len(data) > _HOPELESS * max(room_bytes, 0):
            continue
        name, link = _link(path, data)
        if len(link) <= room_bytes:
            room_bytes -= len(link)
            links[path] = name, link
    return [
        EmbeddedFile(path.relative_to(run_dir).as_posix(), len(data), *links.get(path, (path.name, "")))
        for path, data in found.items()
    ]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # its absence is no reason to have no page
        return b""


def _link(path: Path, data: bytes) -> tuple[str, str]:
    name = path.name
    if len(data) > _PLAIN_BYTES and path.suffix != ".gz":
        name, data = f"{name}.gz", gzip.compress(data, compresslevel=6, mtime=0)
    kind = _TYPES[Path(name).suffix]
    return name, f"data:{kind};base64,{base64.b64encode(data).decode()}"
