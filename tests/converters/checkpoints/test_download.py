import io
import os
import shutil
import socket
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealbench.converters.checkpoints import download as download_module
from sealbench.converters.checkpoints.download import TRIES, ResumingDownloader
from sealbench.converters.errors import DownloadError
from tests.converters.checkpoints.file_server import FileServer, serving

CONTENT = os.urandom(3 * download_module.CHUNK_BYTES + 12345)
HALF = len(CONTENT) // 2


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "FIRST_PAUSE_S", 0.0)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(CONTENT) as served:
        yield served


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.pth"


def part_of(path: Path) -> Path:
    return path.with_name("checkpoint.pth.part")


def download(address: str, path: Path) -> None:
    """As `pooch.retrieve` calls it."""
    ResumingDownloader(part_of(path))(address, str(path), None)


def assert_whole(path: Path, content: bytes = CONTENT) -> None:
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]  # no part and no version stay


def interrupted(server: FileServer, path: Path, sent: int) -> None:
    """A part of `sent` bytes, as a call leaves it whose tries were used up."""
    server.faults = [("cut", sent), *[500] * (TRIES - 1)]
    with pytest.raises(DownloadError):
        download(server.address, path)
    assert part_of(path).stat().st_size == sent
    server.requests.clear()


# --- What works ---


def test_whole_file_arrives_in_one_request(server: FileServer, path: Path) -> None:
    download(server.address, path)
    assert_whole(path)
    assert [(request.range, request.status) for request in server.requests] == [(None, 200)]


def test_dropped_connection_is_resumed_and_only_the_rest_is_sent(server: FileServer, path: Path) -> None:
    server.faults = [("cut", HALF)]
    download(server.address, path)
    assert_whole(path)
    first, second = server.requests
    assert (first.status, first.sent) == (200, HALF)
    assert (second.range, second.if_range) == (f"bytes={HALF}-", '"v1"')
    assert (second.status, second.sent) == (206, len(CONTENT) - HALF)


def test_resumes_again_and_again(server: FileServer, path: Path) -> None:
    server.faults = [("cut", 1000)] * (TRIES - 1)
    download(server.address, path)
    assert_whole(path)
    assert [request.range for request in server.requests] == [None, *(f"bytes={i}000-" for i in range(1, TRIES))]


def test_a_later_call_resumes_where_an_earlier_one_stopped(server: FileServer, path: Path) -> None:
    interrupted(server, path, HALF)
    download(server.address, path)
    assert_whole(path)
    assert [(request.range, request.sent) for request in server.requests] == [(f"bytes={HALF}-", len(CONTENT) - HALF)]


@pytest.mark.parametrize("fault", ["", "nothing is left"])
def test_a_part_that_is_complete_is_only_renamed(server: FileServer, path: Path, fault: str) -> None:
    interrupted(server, path, HALF)
    part_of(path).write_bytes(CONTENT)
    server.faults = [fault]
    download(server.address, path)
    assert_whole(path)
    assert [request.sent for request in server.requests] == [0]


@pytest.mark.parametrize("status", sorted(download_module.TRANSIENT_STATUSES))
def test_a_transient_fault_of_the_server_is_tried_again(server: FileServer, path: Path, status: int) -> None:
    server.faults = [status]
    download(server.address, path)
    assert_whole(path)
    assert [request.status for request in server.requests] == [status, 200]


def test_redirect_on_the_loopback_interface_is_followed(server: FileServer, path: Path) -> None:
    server.redirects = {"/start": server.address}
    server.faults = [("cut", HALF)]
    download(f"http://127.0.0.1:{server.port}/start", path)
    assert_whole(path)
    assert [request.range for request in server.requests[-2:]] == [f"bytes={HALF}-"] * 2


# --- A server that has another file now, or cannot send the rest of one ---


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [("", [200]), ("ignore If-Range", [206, 200]), ("ignore Range", [200])],
)
def test_a_file_that_changed_between_parts_starts_over(
    server: FileServer, path: Path, fault: str, statuses: list[int]
) -> None:
    interrupted(server, path, HALF)
    server.content = os.urandom(len(CONTENT))
    server.etag, server.last_modified = '"v2"', "Tue, 02 Jan 2024 00:00:00 GMT"
    server.faults = [fault]
    download(server.address, path)
    assert_whole(path, server.content)
    assert [request.status for request in server.requests] == statuses


@pytest.mark.parametrize("fault", ["ignore Range", "another range", 416])
def test_a_server_that_does_not_send_the_rest_starts_over(server: FileServer, path: Path, fault: str) -> None:
    interrupted(server, path, HALF)
    server.faults = [fault]
    download(server.address, path)
    assert_whole(path)
    assert server.requests[0].range == f"bytes={HALF}-"
    assert server.requests[-1].sent == len(CONTENT)


@pytest.mark.parametrize(
    ("etag", "last_modified", "if_range"),
    [
        ('W/"v1"', "Mon, 01 Jan 2024 00:00:00 GMT", "Mon, 01 Jan 2024 00:00:00 GMT"),
        ("", "Mon, 01 Jan 2024 00:00:00 GMT", "Mon, 01 Jan 2024 00:00:00 GMT"),
        ('W/"v1"', "", None),
        ("", "", None),
    ],
)
def test_only_what_identifies_the_bytes_validates_a_part(
    server: FileServer, path: Path, etag: str, last_modified: str, if_range: str | None
) -> None:
    server.etag, server.last_modified = etag, last_modified
    interrupted(server, path, HALF)
    download(server.address, path)
    assert_whole(path)
    (request,) = server.requests
    assert request.if_range == if_range
    assert request.range == (f"bytes={HALF}-" if if_range else None)


def test_a_part_of_unknown_version_is_not_continued(server: FileServer, path: Path) -> None:
    part_of(path).write_bytes(b"x" * HALF)
    download(server.address, path)
    assert_whole(path)
    assert [request.range for request in server.requests] == [None]


def test_a_part_longer_than_the_file_starts_over(server: FileServer, path: Path) -> None:
    interrupted(server, path, HALF)
    part_of(path).write_bytes(CONTENT + b"x")
    download(server.address, path)
    assert_whole(path)


# --- What cannot be downloaded ---


def test_tries_are_bounded_and_the_part_is_kept(server: FileServer, path: Path) -> None:
    server.faults = [("cut", HALF), *[("cut", 0)] * (TRIES - 1)]
    with pytest.raises(DownloadError) as caught:
        download(server.address, path)
    assert len(server.requests) == TRIES
    assert part_of(path).read_bytes() == CONTENT[:HALF]
    assert not path.exists()
    message = str(caught.value)
    assert message.startswith(f"{server.address}: could not be downloaded (the connection broke off (")
    assert f"{HALF} bytes are kept in {part_of(path)}" in message
    assert "--weights PATH" in message


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_not_tried_again(server: FileServer, path: Path, status: int) -> None:
    server.faults = [status]
    with pytest.raises(DownloadError, match=rf"checkpoint\.pth: could not be downloaded \({status} .*--weights PATH"):
        download(server.address, path)
    assert len(server.requests) == 1
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "http://example.invalid/x", "ftp://127.0.0.1/x", "http://192.0.2.1/x", "data:,x"]
)
def test_redirect_to_elsewhere_is_refused(server: FileServer, path: Path, target: str) -> None:
    server.redirects = {"/start": target}
    start = f"http://127.0.0.1:{server.port}/start"
    with pytest.raises(DownloadError) as caught:
        download(start, path)
    assert str(caught.value).startswith(
        f"{start}: redirects to {target}, which is refused: weights are taken over https"
    )
    assert len(server.requests) == 1
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize(
    "address", ["http://example.invalid/x.pth", "file:///etc/passwd", "ftp://127.0.0.1/x", "x.pth"]
)
def test_addresses_other_than_https_are_refused(path: Path, address: str) -> None:
    with pytest.raises(DownloadError, match="refused: weights are taken over https only"):
        download(address, path)


def test_without_a_server_the_error_names_the_address_and_what_to_do(path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/x.pth"
        with pytest.raises(DownloadError) as caught:
            download(address, path)
    assert str(caught.value).startswith(f"{address}: could not be downloaded (")
    assert "refused" in str(caught.value)
    assert str(caught.value).endswith("Without a network download it elsewhere and pass its path: --weights PATH")


def test_an_unknown_host_is_not_tried_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "FIRST_PAUSE_S", 1e9)  # a second try would never come
    with pytest.raises(DownloadError, match=r"^https://weights\.invalid/x\.pth: could not be downloaded"):
        download("https://weights.invalid/x.pth", path)


def test_a_response_of_unknown_size_is_refused(server: FileServer, path: Path) -> None:
    server.faults = ["no length"]
    with pytest.raises(DownloadError, match="without the file's size a broken download would look whole"):
        download(server.address, path)
    assert not list(path.parent.iterdir())


def test_too_little_space_is_reported_before_anything_is_written(
    server: FileServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = {"bytes": len(CONTENT) - 1}
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 0, free["bytes"]))
    with pytest.raises(OSError, match=rf"{len(CONTENT)} bytes are needed, {len(CONTENT) - 1} are free"):
        download(server.address, path)
    assert not list(path.parent.iterdir())
    free["bytes"] += 1
    interrupted(server, path, HALF)
    free["bytes"] = len(CONTENT) - HALF  # of a part only the rest needs room
    download(server.address, path)
    assert_whole(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_not_tried_again(server: FileServer, path: Path) -> None:
    part_of(path).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        download(server.address, path)
    assert len(server.requests) == 1


# --- Progress ---


def test_progress_is_drawn_on_a_terminal_only(
    server: FileServer, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    download(server.address, path)
    assert capsys.readouterr() == ("", "")
    path.unlink()

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    download(server.address, path)
    assert_whole(path)
    assert f"{len(CONTENT) / 1e6:.1f}/{len(CONTENT) / 1e6:.1f} MB" in terminal.getvalue()
    assert capsys.readouterr().out == ""
