"""Download of one large file over HTTPS: resumed where it broke off, checked for its size, whole or not there."""

import http.client
import ipaddress
import json
import re
import shutil
import socket
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.client import HTTPMessage
from pathlib import Path
from typing import IO

from sealbench.converters.errors import DownloadError

TRIES = 5
FIRST_PAUSE_S = 1.0  # doubled before every further try
TIMEOUT_S = 30.0  # of a connection and of each read
CHUNK_BYTES = 1 << 20
# Request timeout, too many requests, and faults of the server: they pass.
PASSING_STATUSES = {408, 429, 500, 502, 503, 504}
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


@dataclass(frozen=True)
class _Origin:
    """Which file a part belongs to; it stands beside the part.

    Attributes:
        address: where it comes from.
        validator: the server's name for this version of the file: strong ETag or else the time of its last change
            (RFC 9110, section 13.1.5); empty if the server gives neither, and then a part cannot be continued.
        total_bytes: size of the whole file.
    """

    address: str
    validator: str
    total_bytes: int


class _StartOverError(Exception):
    """The server no longer has the file that the part is of."""


def download(address: str, path: Path) -> None:
    """Download a file to `path`, unless it is there already.

    It grows as `path` + `.part` and is renamed when it has the size that the server told. A part that an earlier call
    left is continued if the server still has that version of the file. The caller keeps others from the same path.

    Args:
        address: https, or http on the loopback interface.
        path: its folder exists.

    Raises:
        DownloadError: another kind of address, no connection, a refusal, too little space on the disk, or an answer
            that stayed incomplete in `TRIES` tries.
    """
    if path.exists():
        return
    _check_address(address, address)
    opener = urllib.request.build_opener(_CheckedRedirects(address))
    part = path.with_name(path.name + ".part")
    pause_s = FIRST_PAUSE_S
    for left in reversed(range(TRIES)):
        try:
            _continue(opener, address, part)
            break
        except _StartOverError as error:
            part.unlink(missing_ok=True)
            if not left:
                raise _failure(address, part, error) from error
        except (OSError, http.client.HTTPException) as error:
            if not left or not _may_pass(error):
                raise _failure(address, part, error) from error
        time.sleep(pause_s)
        pause_s *= 2
    part.rename(path)
    _origin_path(part).unlink()


def _continue(opener: urllib.request.OpenerDirector, address: str, part: Path) -> None:
    """Ask for what is missing of `part` and append it; a connection that breaks off raises ConnectionError."""
    origin = _read_origin(part, address)
    have = part.stat().st_size if origin is not None and part.exists() else 0
    if origin is not None and have == origin.total_bytes:
        return
    request = urllib.request.Request(address, headers={"Accept-Encoding": "identity"})  # noqa: S310 (checked before)
    if origin is not None and origin.validator and 0 < have < origin.total_bytes:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", origin.validator)
    try:
        response: http.client.HTTPResponse = opener.open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _StartOverError("the server has no such rest of the file") from error
        raise
    with response:
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            _check_continues(response, origin, have)
        else:
            have = 0
            origin = _Origin(address, _validator(response), _total_bytes(response, address))
        assert origin is not None  # a server that sends a part unasked fails the check above
        _check_space(part.parent, address, origin.total_bytes - have)
        _append(response, part, have, origin)


def _append(response: http.client.HTTPResponse, part: Path, have: int, origin: _Origin) -> None:
    with _open_part(part, have, origin) as write, _progress(origin, have) as advance:
        while chunk := response.read(CHUNK_BYTES):
            write(chunk)
            have += len(chunk)
            advance(len(chunk))
    if have != origin.total_bytes:
        raise ConnectionError(f"the connection closed after {have} of {origin.total_bytes} bytes")


@contextmanager
def _open_part(part: Path, have: int, origin: _Origin) -> Iterator[Callable[[bytes], object]]:
    """Gives a function that appends to the part, which is emptied first if nothing is had of it."""

    def write(chunk: bytes) -> None:
        with _disk_errors_of(part):
            while chunk:
                chunk = chunk[file.write(chunk) :]

    with _disk_errors_of(part):
        file = part.open("ab" if have else "wb", buffering=0)  # emptied before another origin is written beside it
        _origin_path(part).write_text(json.dumps(asdict(origin)), encoding="utf-8")
    with file:
        yield write


@contextmanager
def _disk_errors_of(part: Path) -> Iterator[None]:
    """Tells a full disk, which another try does not mend, from a broken connection: both are OSErrors."""
    try:
        yield
    except OSError as error:
        raise DownloadError(f"{part}: cannot be written ({error.strerror})") from error


def _check_continues(response: http.client.HTTPResponse, origin: _Origin | None, have: int) -> None:
    """Raise _StartOverError unless a partial answer is the rest of this file, from `have` on."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if origin is None or found is None or (int(found[1]), int(found[2])) != (have, origin.total_bytes):
        raise _StartOverError("the server sent another range than was asked for")
    if _validator(response) not in ("", origin.validator):
        raise _StartOverError("the file changed on the server")


def _validator(response: http.client.HTTPResponse) -> str:
    etag: str = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _total_bytes(response: http.client.HTTPResponse, address: str) -> int:
    length = response.headers.get("Content-Length", "")
    if not length.isdecimal():
        raise DownloadError(
            f"{address}: the server does not tell the file's size, so that a whole download could not be told from a "
            "broken one; download it elsewhere and pass its path with --weights"
        )
    return int(length)


def _check_space(folder: Path, address: str, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes > free_bytes:
        raise DownloadError(
            f"{folder}: {needed_bytes} bytes are needed for {address}, {free_bytes} are free; "
            "make room, or set XDG_CACHE_HOME to a folder on a larger disk"
        )


def _origin_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_origin(part: Path, address: str) -> _Origin | None:
    """What the part is of, or None if that is not known or another address."""
    try:
        origin = _Origin(**json.loads(_origin_path(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return origin if origin.address == address else None


def _check_address(address: str, first: str) -> None:
    """Refuse what is neither https nor, if the first address is so too, http on the loopback interface.

    Raises:
        DownloadError: it is refused.
    """
    if urllib.parse.urlsplit(address).scheme == "https" or (_is_local_http(address) and _is_local_http(first)):
        return
    what = f"{first}: redirects to {address}, which is refused" if address != first else f"{address}: refused"
    raise DownloadError(f"{what}: weights are taken over https only; download them elsewhere and pass --weights PATH")


def _is_local_http(address: str) -> bool:
    parts = urllib.parse.urlsplit(address)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to addresses that `_check_address` allows."""

    def __init__(self, first: str):
        self._first = first

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """Follow to `newurl`, or raise DownloadError."""
        _check_address(newurl, self._first)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _may_pass(error: Exception) -> bool:
    """Whether another try may succeed: not where the host is unknown, its certificate wrong or the file not there."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in PASSING_STATUSES
    reason = getattr(error, "reason", error)
    return not isinstance(reason, socket.gaierror | ssl.SSLCertVerificationError)


def _failure(address: str, part: Path, error: Exception) -> DownloadError:
    if isinstance(error, urllib.error.HTTPError) and error.code < 400:
        _check_address(urllib.parse.urljoin(address, error.headers.get("Location", "")), address)
    reason = getattr(error, "reason", None) or error
    told = f"HTTP {error.code} {reason}" if isinstance(error, urllib.error.HTTPError) else str(reason)
    have = part.stat().st_size if part.exists() else 0
    kept = f" {have} bytes are kept in {part}, and another run goes on from there." if have else ""
    return DownloadError(
        f"{address}: could not be downloaded ({told}).{kept} Without a network download it elsewhere and pass its "
        "path: --weights PATH"
    )


@contextmanager
def _progress(origin: _Origin, have: int) -> Iterator[Callable[[int], object]]:
    """A bar on standard error if that is a terminal; gives a function that moves it on by a number of bytes."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        name = Path(urllib.parse.urlsplit(origin.address).path).name
        task = progress.add_task(name, total=origin.total_bytes, completed=have)
        yield lambda count: progress.advance(task, count)
