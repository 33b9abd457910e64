"""An HTTP server on the loopback interface that hands out one file, with ranges, and with faults on request."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Request:
    """One GET as it came, and what was sent for it."""

    path: str
    range: str | None
    if_range: str | None
    status: int = 0
    sent: int = 0


@dataclass
class FileServer:
    """What is served, and what came of it.

    Attributes:
        content: the file.
        etag, last_modified: headers, left out where empty.
        faults: one a request, taken from the front: a status to fail with, `("cut", N)` to close the connection after N
            bytes of the body, or a name that the handler knows. With none left the file is served as it should be.
        redirects: target by path.
        requests: what came.
    """

    content: bytes
    etag: str = '"v1"'
    last_modified: str = "Mon, 01 Jan 2024 00:00:00 GMT"
    faults: list[int | str | tuple[str, int]] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/model/checkpoint.pth"


@contextmanager
def serving(content: bytes) -> Iterator[FileServer]:
    served = FileServer(content)

    class Handler(_Handler):
        files = served

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    files: FileServer

    def do_GET(self) -> None:
        files = self.files
        request = Request(self.path, self.headers["Range"], self.headers["If-Range"])
        files.requests.append(request)
        if self.path in files.redirects:
            self._head(request, 302, {"Location": files.redirects[self.path], "Content-Length": "0"})
            return
        fault = files.faults.pop(0) if files.faults else ""
        if isinstance(fault, int):
            self._head(request, fault, {"Content-Length": "0"})
            return
        if fault == "nothing is left":
            size = len(files.content)
            self._head(request, 416, {"Content-Range": f"bytes */{size}", "Content-Length": "0"})
            return
        known = fault == "ignore If-Range" or (
            request.if_range and request.if_range in (files.etag, files.last_modified)
        )
        found = re.fullmatch(r"bytes=(\d+)-", request.range or "")
        versions = {"ETag": files.etag, "Last-Modified": files.last_modified}
        headers = {name: value for name, value in versions.items() if value}
        if found and known and fault != "ignore Range":
            start = int(found[1]) + (7 if fault == "another range" else 0)
            body, status = files.content[start:], 206
            headers["Content-Range"] = f"bytes {start}-{len(files.content) - 1}/{len(files.content)}"
        else:
            body, status = files.content, 200
        if fault != "no length":
            headers["Content-Length"] = str(len(body))
        self._head(request, status, headers)
        if isinstance(fault, tuple):
            body = body[: fault[1]]
        request.sent = len(body)  # before: the client may have all of it, and the test go on, when `write` returns
        self.wfile.write(body)

    def _head(self, request: Request, status: int, headers: dict[str, str]) -> None:
        request.status = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""
