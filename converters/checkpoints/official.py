"""The publishers' checkpoints: downloaded once, reduced to what is used of them, and held to what they were at first.

Below `$XDG_CACHE_HOME/sealbench/weights` each address has a folder with `tensors.safetensors`, the networks' tensors,
and `extracted.json`, what they were taken from. The checkpoint itself, which may hold an optimizer's state of several
times that size, is deleted once its tensors were written and read back equal. Publishers give no hashes, so the sha256
of the first complete checkpoint of an address is pinned in `pins.json`: it stays the weights' fingerprint, and where a
later download differs it is refused. Removing a folder makes room and keeps the pin.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock

from sealbench.converters.cache_folder import cache_folder
from sealbench.converters.checkpoints.download import download
from sealbench.converters.checkpoints.file_hashes import file_sha256, remembered_sha256
from sealbench.converters.errors import DownloadError, WeightsError

CHECKPOINT, TENSORS, RECORD, PINS = "checkpoint.pth", "tensors.safetensors", "extracted.json", "pins.json"


@dataclass(frozen=True)
class OfficialCheckpoint:
    """What is kept of a publisher's checkpoint.

    Attributes:
        tensors: `.safetensors` file with the tensors of embedder and detector.
        sha256: hexadecimal digest of the checkpoint as it was downloaded.
    """

    tensors: Path
    sha256: str


@dataclass(frozen=True)
class _Record:
    """What the tensors in a folder were taken from, and what they must be."""

    address: str
    checkpoint_sha256: str
    tensors_sha256: str


def fetch_official(address: str) -> OfficialCheckpoint:
    """The checkpoint at `address`: from the cache at once, else downloaded, by one process at a time.

    Raises:
        DownloadError: it cannot be downloaded, or is not the file that was pinned.
        WeightsError: it is no checkpoint, or the cache cannot be written.
    """
    folder = cache_folder("weights") / _folder_name(address)
    try:
        if (found := _find(folder, address)) is not None:
            return found
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            return _find(folder, address) or _make(folder, address)  # another process made it while we waited
    except OSError as error:
        raise WeightsError(
            f"{folder}: the weights of {address} cannot be stored ({error.strerror or error}); make room there, or "
            "set XDG_CACHE_HOME to another folder"
        ) from error


def _folder_name(address: str) -> str:
    """The file's name for people, and a digest of the whole address: several are called checkpoint.pth."""
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", Path(urlsplit(address).path).stem)
    return f"{stem}-{hashlib.sha256(address.encode()).hexdigest()[:12]}"


def _find(folder: Path, address: str) -> OfficialCheckpoint | None:
    """What is in the cache, if it is there, of the pinned checkpoint, and its bytes are those that were written."""
    pinned = _read_pins(folder.parent / PINS).get(address)
    try:
        record = _Record(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
        if record.checkpoint_sha256 != pinned or remembered_sha256(folder / TENSORS) != record.tensors_sha256:
            return None
    except (OSError, ValueError, TypeError):
        return None
    return OfficialCheckpoint(folder / TENSORS, pinned)


def _make(folder: Path, address: str) -> OfficialCheckpoint:
    from sealbench.converters.checkpoints.checkpoint_file import extract

    checkpoint, pins = folder / CHECKPOINT, folder.parent / PINS
    pinned = _read_pins(pins).get(address)  # a damaged file is told before the download
    download(address, checkpoint)
    sha256 = file_sha256(checkpoint)
    if pinned not in (None, sha256):
        checkpoint.unlink()
        raise DownloadError(
            f"{address}: not the file that was downloaded before: found sha256 {sha256}, expected {pinned} as pinned "
            f"in {pins}. It was deleted. If the publisher is known to have changed it, remove its line there and run "
            "again; results with the two are results of two models"
        )
    try:
        extract(checkpoint, folder / TENSORS, {"address": address, "checkpoint_sha256": sha256})
    except WeightsError as error:
        checkpoint.unlink()  # so that the next run asks again
        raise WeightsError(
            f"{address}: what was downloaded from there is no checkpoint, and was deleted: {error}"
        ) from error
    _pin(pins, address, sha256)  # only now: the page of a captive portal must not be pinned
    record = _Record(address, sha256, file_sha256(folder / TENSORS))
    _replace(folder / RECORD, json.dumps(asdict(record), indent=1))
    checkpoint.unlink()
    return OfficialCheckpoint(folder / TENSORS, sha256)


def _pin(pins: Path, address: str, sha256: str) -> None:
    with FileLock(f"{pins}.lock"):
        _replace(pins, json.dumps(_read_pins(pins) | {address: sha256}, indent=1, sort_keys=True))


def _read_pins(pins: Path) -> dict[str, str]:
    """Pinned sha256 by address.

    Raises:
        WeightsError: the file is damaged; it is not ignored, for then any file would be taken as the right one.
    """
    if not pins.exists():
        return {}
    try:
        content = json.loads(pins.read_text(encoding="utf-8"))
        return {str(address): str(sha256) for address, sha256 in content.items()}
    except (ValueError, AttributeError) as error:
        raise WeightsError(
            f"{pins}: expected a JSON object of sha256 by address ({error}); mend or remove it"
        ) from error


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
