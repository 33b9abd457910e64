"""The publishers' checkpoints: downloaded once, reduced to what is used, and compared with their first download.

Below `$XDG_CACHE_HOME/sealbench/weights` each address has a folder with `tensors.safetensors`, the networks' tensors,
and `extracted.json`, what they were taken from. The checkpoint itself, which may hold an optimizer's state of several
times that size, is deleted once its tensors were written and read back equal. Where the card has no sha256 of the
checkpoint, that of the first download is pinned in `pins.json`: it stays the weights' fingerprint, and a later download
that differs is refused. Removing a folder makes room and keeps the pin.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock

from sealbench.converters.cache_folder import cache_folder
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


def fetch_official(address: str, sha256: str | None = None) -> OfficialCheckpoint:
    """The checkpoint at `address`: from the cache, else downloaded, by one process at a time.

    Args:
        address: https.
        sha256: of the checkpoint, where the card has it; else that of an earlier download is expected.

    Raises:
        DownloadError: it cannot be downloaded, or is not the file that is expected.
        WeightsError: it is no checkpoint, or the cache cannot be written.
    """
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", Path(urlsplit(address).path).stem)
    folder = cache_folder("weights") / f"{stem}-{hashlib.sha256(address.encode()).hexdigest()[:12]}"
    expected = sha256 or _read_pins(folder.parent / PINS).get(address)
    try:
        if (found := _find(folder, address, expected)) is not None:
            return found
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            expected = sha256 or _read_pins(folder.parent / PINS).get(address)  # another process may have made it
            return _find(folder, address, expected) or _make(folder, address, expected)
    except OSError as error:
        raise WeightsError(
            f"{folder}: the weights of {address} cannot be stored ({error.strerror or error}); make room there, or "
            "set XDG_CACHE_HOME to another folder"
        ) from error


def _find(folder: Path, address: str, expected: str | None) -> OfficialCheckpoint | None:
    """What is in the cache, if it is of the expected checkpoint and its bytes are those that were written."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if expected is None or record != _record(address, expected, remembered_sha256(folder / TENSORS)):
            return None
    except (OSError, ValueError):
        return None
    return OfficialCheckpoint(folder / TENSORS, expected)


def _make(folder: Path, address: str, expected: str | None) -> OfficialCheckpoint:
    from sealbench.converters.checkpoints.checkpoint_file import extract

    checkpoint, pins = folder / CHECKPOINT, folder.parent / PINS
    _download(address, checkpoint, expected, pins)
    sha256 = expected or file_sha256(checkpoint)
    try:
        extract(checkpoint, folder / TENSORS, {"address": address, "checkpoint_sha256": sha256})
    except WeightsError as error:
        checkpoint.unlink()  # so that the next run downloads it again
        raise WeightsError(
            f"{address}: what was downloaded from there is no checkpoint, and was deleted: {error}"
        ) from error
    with FileLock(f"{pins}.lock"):  # only now: the page of a captive portal must not be pinned
        _replace(pins, _read_pins(pins) | {address: sha256})
    _replace(folder / RECORD, _record(address, sha256, file_sha256(folder / TENSORS)))
    checkpoint.unlink()
    return OfficialCheckpoint(folder / TENSORS, sha256)


def _download(address: str, path: Path, expected: str | None, pins: Path) -> None:
    import pooch

    from sealbench.converters.checkpoints.download import ResumingDownloader

    pooch.get_logger().setLevel("WARNING")
    downloader = ResumingDownloader(path.with_name(f"{path.name}.part"))
    try:
        pooch.retrieve(
            address, expected and f"sha256:{expected}", fname=path.name, path=path.parent, downloader=downloader
        )
    except ValueError as error:  # pooch deleted what has another hash
        raise DownloadError(
            f"{address}: not the file that is expected ({error}). Its sha256 is in the card, or pinned in {pins}. If "
            "the publisher is known to have changed the file, remove its line there and run again; results with the "
            "two are results of two models"
        ) from error


def _record(address: str, checkpoint_sha256: str, tensors_sha256: str) -> dict[str, str]:
    """What the tensors in a folder were taken from, and what they must be."""
    return {"address": address, "checkpoint_sha256": checkpoint_sha256, "tensors_sha256": tensors_sha256}


def _read_pins(pins: Path) -> dict[str, str]:
    """Pinned sha256 by address.

    Raises:
        WeightsError: the file is damaged; it is not ignored, for then any file would be taken as the right one.
    """
    try:
        content = json.loads(pins.read_text(encoding="utf-8"))
        return {str(address): str(sha256) for address, sha256 in content.items()}
    except OSError:
        return {}
    except (ValueError, AttributeError) as error:
        raise WeightsError(
            f"{pins}: expected a JSON object of sha256 by address ({error}); fix or remove it"
        ) from error


def _replace(path: Path, content: Mapping[str, str]) -> None:
    """Write a JSON file so that it is there whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")
    partial.replace(path)
