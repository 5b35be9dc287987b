"""A small web server for tests, with or without range requests."""

from __future__ import annotations

import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class _Plain(SimpleHTTPRequestHandler):
    """Python's own handler, which ignores ranges; locked* is forbidden and broken* fails."""

    needed = ""

    def do_GET(self) -> None:
        if self.allowed():
            self.get()

    def do_HEAD(self) -> None:
        if self.allowed():
            super().do_HEAD()

    def allowed(self) -> bool:
        given = self.path + b64decode(self.headers.get("Authorization", "").partition(" ")[2]).decode()
        if self.needed in given:
            return True
        self.send_error(403)
        return False

    def get(self) -> None:
        super().do_GET()

    def send_head(self) -> Any:
        for name, status in (("/locked", 403), ("/broken", 500)):
            if self.path.startswith(name):
                return self.send_error(status)
        return super().send_head()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Ranges(_Plain):
    """Answers `Range: bytes=a-b` and counts the bytes sent."""

    sent = 0

    def get(self) -> None:
        wanted = self.headers.get("Range", "")
        path = Path(self.translate_path(self.path))
        if not wanted or not path.is_file():
            super().get()
            return
        data = path.read_bytes()
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        piece = data[int(first) : int(last) + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(piece) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(piece)))
        self.end_headers()
        self.wfile.write(piece)
        _Ranges.sent += len(piece)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients hang up as soon as they have the bytes they want."""


@contextmanager
def web_server(folder: Path, ranges: bool, needed: str = "") -> Iterator[str]:
    """Serve a folder; gives its address without a slash at the end.

    needed: what a request must hold in its address, or as `user:password`; others are forbidden.
    """
    kind = type("Handler", (_Ranges if ranges else _Plain,), {"needed": needed})
    handler = partial(kind, directory=str(folder))
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def bytes_sent() -> int:
    """Bytes that servers with ranges have sent in answer to range requests since the start."""
    return _Ranges.sent
