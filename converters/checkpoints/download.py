"""What pooch lacks for checkpoints of up to 13 GB: a download that resumes where an earlier one broke off."""

import ipaddress
import shutil
import sys
import time
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
from rich.console import Console
from rich.progress import wrap_file
from urllib3.exceptions import HTTPError

from sealbench.converters.errors import DownloadError

TRIES = 5
FIRST_PAUSE_S = 1.0  # doubled before every further try
TIMEOUT_S = 30.0  # of a connection and of each read
CHUNK_BYTES = 1 << 20
# Request timeout, too many requests, and faults of the server: another try may succeed.
TRANSIENT_STATUSES = {408, 429, 500, 502, 503, 504}


class ResumingDownloader:
    """A downloader for `pooch.retrieve`.

    The file grows as `part`. The server's name for its version, a strong ETag or the time of its last change, is
    beside it (`.version`): only the rest of that version is appended (If-Range: RFC 9110, section 13.1.5).

    Args:
        part: of one address only; kept when the download breaks off.
    """

    def __init__(self, part: Path):
        self._part, self._version = part, part.with_name(f"{part.name}.version")

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Download `url` to `output_file`.

        Raises:
            DownloadError: an address that is not https (or http on the loopback interface), no connection, a refusal,
                or `TRIES` tries that broke off.
            OSError: it cannot be written.
        """
        _check_address(url)
        for left in reversed(range(TRIES)):
            try:
                failure = self._append(url)
            except requests.RequestException as error:
                raise _failure(url, str(error), self._part) from error
            if failure is None:
                break
            if not left:
                raise _failure(url, failure, self._part)
            time.sleep(FIRST_PAUSE_S * 2 ** (TRIES - 1 - left))
        self._version.unlink(missing_ok=True)
        shutil.move(self._part, output_file)

    def _append(self, url: str) -> str | None:
        """Append what is missing; returns why that failed, where another try may succeed."""
        known = self._version.read_text(encoding="utf-8") if self._version.exists() else ""
        have = self._part.stat().st_size if known and self._part.exists() else 0
        resumed = {"Range": f"bytes={have}-", "If-Range": known} if have else {}
        headers = {"Accept-Encoding": "identity", **resumed}
        with _Session() as session, session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            status, sent = response.status_code, response.headers
            if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return None if sent.get("Content-Range") == f"bytes */{have}" else self._start_over()
            if status in TRANSIENT_STATUSES:
                return f"HTTP {status} {response.reason}"
            response.raise_for_status()
            length = sent.get("Content-Length", "")
            if not length.isdecimal():
                raise _failure(url, "without the file's size a broken download would look whole", self._part)
            version = sent["ETag"] if sent.get("ETag", "").startswith('"') else sent.get("Last-Modified", "")
            total = have + int(length)
            rest = sent.get("Content-Range") == f"bytes {have}-{total - 1}/{total}" and version in ("", known)
            if status == HTTPStatus.PARTIAL_CONTENT and not rest:
                return self._start_over()
            if (free := shutil.disk_usage(self._part.parent).free) < int(length):
                raise OSError(f"{length} bytes are needed, {free} are free")
            self._version.unlink(missing_ok=True)
            with self._part.open("ab" if status == HTTPStatus.PARTIAL_CONTENT else "wb") as file:
                if version:
                    self._version.write_text(version, encoding="utf-8")
                console, hidden = Console(stderr=True), not sys.stderr.isatty()
                try:
                    with wrap_file(
                        response.raw, int(length), description=Path(url).name, console=console, disable=hidden
                    ) as body:
                        shutil.copyfileobj(body, file, CHUNK_BYTES)
                except HTTPError as error:
                    return f"the connection broke off ({error})"
        return None

    def _start_over(self) -> str:
        """Forget what the part is of, so that the next try downloads the whole file; returns the reason."""
        self._version.unlink(missing_ok=True)
        return "the server sent another range than was requested"


class _Session(requests.Session):
    """Follows redirects to addresses that `_check_address` allows."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """The address to follow, or None; raises DownloadError where it is refused."""
        target = super().get_redirect_target(resp)
        if target is not None:
            _check_address(urljoin(resp.url, target), resp.url)
        return target


def _check_address(address: str, origin: str | None = None) -> None:
    if urlsplit(address).scheme == "https" or (_is_local_http(address) and (origin is None or _is_local_http(origin))):
        return
    what = f"{address}: refused" if origin is None else f"{origin}: redirects to {address}, which is refused"
    raise DownloadError(f"{what}: weights are taken over https only; download them elsewhere and pass --weights PATH")


def _is_local_http(address: str) -> bool:
    parts = urlsplit(address)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _failure(url: str, reason: str, part: Path) -> DownloadError:
    have = part.stat().st_size if part.exists() else 0
    kept = f" {have} bytes are kept in {part}, and another run resumes there." if have else ""
    return DownloadError(
        f"{url}: could not be downloaded ({reason}).{kept} Without a network download it elsewhere and pass its path: "
        "--weights PATH"
    )
