"""A small web server for tests, with or without range requests."""

from __future__ import annotations

import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
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


class FaultyServer:
    """Serves a folder on one address, and fails as it is told.

    fault: None, an HTTP status, "stall" (sends half of a file and then nothing) or "cut" (half, and hangs up), for
    those requests whose path `hits` says; asked: paths of all requests.
    """

    def __init__(self, folder: Path) -> None:
        self.fault: int | str | None = None
        self.hits: Callable[[str], bool] = lambda path: True
        self.asked: list[str] = []
        self._folder, self._port = folder, 0
        self._ended = threading.Event()
        self.listen()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def listen(self) -> None:
        """Answer, on the same port as before."""
        self._server = _Server(("127.0.0.1", self._port), partial(_Faulty, self, directory=str(self._folder)))
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def refuse(self) -> None:
        """Refuse connections until `listen`."""
        self._server.shutdown()
        self._server.server_close()

    def close(self) -> None:
        self._ended.set()
        self.refuse()

    def wait(self) -> None:
        """Until the server is closed."""
        self._ended.wait()


class _Faulty(_Ranges):
    protocol_version = "HTTP/1.0"

    def __init__(self, owner: FaultyServer, *args: Any, **options: Any) -> None:
        self._owner = owner
        super().__init__(*args, **options)

    def do_HEAD(self) -> None:
        self._answer(super().do_HEAD)

    def do_GET(self) -> None:
        self._answer(super().do_GET)

    def _answer(self, as_usual: Callable[[], None]) -> None:
        owner = self._owner
        owner.asked.append(self.path)
        fault = owner.fault if owner.hits(self.path) else None
        if isinstance(fault, int):
            self.send_error(fault)
        elif fault is None or self.command == "HEAD":
            as_usual()
        else:
            data = Path(self.translate_path(self.path)).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            if fault == "stall":
                owner.wait()


@contextmanager
def faulty_server(folder: Path) -> Iterator[FaultyServer]:
    """A FaultyServer that is closed with the context."""
    server = FaultyServer(folder)
    try:
        yield server
    finally:
        server.close()
