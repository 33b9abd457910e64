"""sha256 of files; that of a large file is remembered while the file stays as it is."""

import hashlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from sealbench.converters.cache_folder import cache_folder

# A file changed less than this before it is hashed may change once more without another time stamp: file systems
# count time in steps of up to two seconds (FAT). Its hash is not remembered.
SETTLED_NS = 2_000_000_000


def file_sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_sha256(path: Path) -> str:
    """Same as `file_sha256`, but a file is not read again that has kept its place, size, inode and time stamps.

    The time of the inode's last change is among them, so that an edit is noticed that puts back the time of its
    content. The hashes stand in `hashes.json` in the weights' cache; where that cannot be used, nothing is remembered.

    Raises:
        OSError: the file cannot be read.
    """
    memory = cache_folder("weights") / "hashes.json"
    place, now_ns = str(path.resolve()), time.time_ns()
    state = _state(path)
    hashes = _read(memory)
    known = hashes.get(place)
    if isinstance(known, dict) and known.get("state") == state and isinstance(known.get("sha256"), str):
        return str(known["sha256"])
    sha256 = file_sha256(path)
    settled = now_ns - max(state[1], state[2]) > SETTLED_NS
    if settled and _state(path) == state:
        kept = {name: entry for name, entry in hashes.items() if Path(name).exists()}
        _write(memory, kept | {place: {"state": state, "sha256": sha256}})
    return sha256


def _state(path: Path) -> list[int]:
    """What changes whenever the content does: size, times of content and inode in ns, inode, device."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]


def _read(memory: Path) -> dict[str, Any]:
    try:
        hashes = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return hashes if isinstance(hashes, dict) else {}


def _write(memory: Path, hashes: dict[str, Any]) -> None:
    """Replace the memory whole; of two processes that write at once the later one wins, which costs one hashing."""
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=memory.parent, prefix=".hashes-") as folder:
            written = Path(folder) / memory.name
            written.write_text(json.dumps(hashes, indent=1), encoding="utf-8")
            written.replace(memory)
    except OSError:
        pass
