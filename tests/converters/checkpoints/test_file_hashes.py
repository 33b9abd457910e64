import hashlib
import json
import os
from pathlib import Path

import pytest

from sealbench.converters.cache_folder import cache_folder
from sealbench.converters.checkpoints import file_hashes
from sealbench.converters.checkpoints.file_hashes import file_sha256, remembered_sha256


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"first")
    return path


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any file counts as old enough to be remembered."""
    monkeypatch.setattr(file_hashes, "SETTLED_NS", -(10**12))


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were really read."""
    read: list[Path] = []

    def spy(path: Path) -> str:
        read.append(path)
        return file_sha256(path)

    monkeypatch.setattr(file_hashes, "file_sha256", spy)
    return read


@pytest.mark.usefixtures("settled")
def test_an_unchanged_file_is_read_once(path: Path, hashed: list[Path]) -> None:
    assert [remembered_sha256(path) for _ in range(3)] == [digest(b"first")] * 3
    assert hashed == [path]


@pytest.mark.usefixtures("settled")
def test_every_change_is_noticed(path: Path) -> None:
    assert remembered_sha256(path) == digest(b"first")
    before = path.stat()

    path.write_bytes(b"other")  # same size, same inode, and the time of its content put back
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert remembered_sha256(path) == digest(b"other")

    replacement = path.with_name("new")
    replacement.write_bytes(b"third")
    os.utime(replacement, ns=(before.st_atime_ns, before.st_mtime_ns))
    replacement.replace(path)
    assert remembered_sha256(path) == digest(b"third")

    path.write_bytes(b"longer than before")
    assert remembered_sha256(path) == digest(b"longer than before")


def test_a_file_changed_a_moment_ago_is_not_remembered(path: Path) -> None:
    for content in (b"first", b"secnd", b"third"):  # within one step of the clock of some file systems
        path.write_bytes(content)
        assert remembered_sha256(path) == digest(content)
    assert not (cache_folder("weights") / "hashes.json").exists()


@pytest.mark.usefixtures("settled")
def test_two_names_of_one_file_share_an_entry_and_lost_files_lose_theirs(path: Path, hashed: list[Path]) -> None:
    link = path.with_name("link.pth")
    link.symlink_to(path)
    assert remembered_sha256(path) == remembered_sha256(link)
    assert len(hashed) == 1
    other = path.with_name("other.pth")
    other.write_bytes(b"other")
    path.unlink()
    remembered_sha256(other)
    assert list(json.loads((cache_folder("weights") / "hashes.json").read_text())) == [str(other)]


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("damage", ["", "{", "[]", "7", '{"PATH": 7}', '{"PATH": {"state": STATE, "sha256": null}}'])
def test_a_damaged_memory_is_made_anew(path: Path, damage: str, hashed: list[Path]) -> None:
    remembered_sha256(path)
    memory = cache_folder("weights") / "hashes.json"
    state = json.dumps(json.loads(memory.read_text())[str(path)]["state"])
    memory.write_text(damage.replace("PATH", str(path)).replace("STATE", state))
    assert remembered_sha256(path) == remembered_sha256(path) == digest(b"first")
    assert len(hashed) == 2


@pytest.mark.usefixtures("settled")
def test_without_a_cache_it_is_hashed_each_time(
    path: Path, monkeypatch: pytest.MonkeyPatch, hashed: list[Path]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))  # a file: no folder can be made in it
    assert remembered_sha256(path) == remembered_sha256(path) == digest(b"first")
    assert len(hashed) == 2


def test_what_cannot_be_read_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        remembered_sha256(tmp_path / "nothing")
