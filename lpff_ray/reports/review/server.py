"""The server of the review page: aiohttp, which fsspec and Ray bring along, on one thread with a loop of its own.

What may wait for a disk is done on other threads; actions one after the other.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any

import numpy as np
from aiohttp import web

from lpff_ray.errors import UserError
from lpff_ray.reports.review.access import TOKEN, Access
from lpff_ray.reports.review.packing import packed
from lpff_ray.reports.review.pictures import PictureCache
from lpff_ray.reports.review.session import Session, Shown
from lpff_ray.tables.review.actions import POSE_BINS

log = logging.getLogger(__name__)

MOST_PICTURES = 256
"""Of one request."""
MOST_BYTES = 1 << 28
"""Of a request's body: the numbers of ten million faces."""
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
PAGE = resources.files("lpff_ray.reports.review") / "page"


class ReviewServer:
    """Serves one session. `run` blocks until it is interrupted."""

    def __init__(
        self, session: Session, pictures: PictureCache, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        """port: 0 for a free one. Raises UserError if the address can not be had."""
        self.session, self.pictures = session, pictures
        self.access = Access(host)
        self._acting = asyncio.Lock()
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            raise UserError(
                f"{host}, port {port}: {error.strerror or error}; give another --host or --port"
            ) from None
        self.port: int = self._socket.getsockname()[1]
        self.access.listen(self.port)
        shown = f"[{host}]" if ":" in host else host
        if host in ("0.0.0.0", "::"):  # of all networks: nothing that a browser could open
            shown = socket.gethostname()
        self.url = f"http://{shown}:{self.port}/?{TOKEN}={self.access.token}"

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGINT or SIGTERM; what is being written is finished. ready: called when requests are taken."""

        async def until_interrupted() -> None:
            ended = asyncio.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, ended.set)
            await self.serve(ended, ready)

        asyncio.run(until_interrupted())

    async def serve(self, ended: asyncio.Event, ready: Callable[[], None]) -> None:
        """Serve until `ended` is set."""
        runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        ready()
        await ended.wait()
        async with self._acting:  # an action that came before is written
            await runner.cleanup()

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[self.access.middleware, _told], client_max_size=MOST_BYTES)
        app.router.add_get("/", self._page)
        app.router.add_get("/page/{name}", self._page)
        app.router.add_get("/api/faces", self._faces)
        app.router.add_get("/api/changes", self._changes)
        app.router.add_get("/api/face", self._face)
        app.router.add_get("/api/selection", self._selection)
        app.router.add_post("/api/thumbnails", self._thumbnails)
        app.router.add_post("/api/suggest", self._suggest)
        for name in ("decide", "move", "merge", "split", "move_all", "undo", "redo"):
            app.router.add_post(f"/api/{name}", self._action(name))
        return app

    async def _page(self, request: web.Request) -> web.Response:
        name = request.match_info.get("name", "index.html")
        kind = TYPES.get(f".{name.rpartition('.')[2]}")
        file = PAGE / name
        if kind is None or "/" in name or not file.is_file():
            raise web.HTTPNotFound()
        return web.Response(body=file.read_bytes(), content_type=kind, charset="utf-8")

    async def _faces(self, request: web.Request) -> web.Response:
        catalogue, session = self.session.catalogue, self.session
        shown = await asyncio.to_thread(session.refresh)
        meta = {
            "faces": len(catalogue),
            "run": catalogue.out,
            "reviewer": session.reviewer,
            "bins": POSE_BINS,
            "videos": catalogue.videos,
            "tracks": catalogue.tracks,
            "identities": catalogue.identities,
            "selections": catalogue.selections,
            "pictures": self.pictures.there,
            **session.summary(),
        }
        rows = np.arange(len(catalogue), dtype=np.uint32)
        return _message(packed(meta, {**catalogue.columns, **_state(shown, rows)}))

    async def _changes(self, request: web.Request) -> web.Response:
        """What changed since `version`, others' decisions included: everything, or nothing."""
        shown = await asyncio.to_thread(self.session.refresh)
        known = request.query.get("version") == str(shown.version)
        rows = np.arange(0 if known else len(shown.decision), dtype=np.uint32)
        return _message(packed(self.session.summary(), _state(shown, rows)))

    async def _face(self, request: web.Request) -> web.Response:
        row = _row(request.query.get("row", ""), len(self.session.catalogue))
        found = await asyncio.to_thread(self.session.catalogue.face, row)
        return web.json_response({**_plain(found), "said": self.session.said_of(row)})

    async def _selection(self, request: web.Request) -> web.Response:
        name = request.query.get("name", "")
        rows = await asyncio.to_thread(self.session.catalogue.selection_rows, name)
        return _message(packed({"name": name}, {"rows": rows}))

    async def _thumbnails(self, request: web.Request) -> web.Response:
        """JPEGs of some rows, one behind the other; size 0 where there is none."""
        rows = [_row(row, len(self.session.catalogue)) for row in _rows(await _body(request))[:MOST_PICTURES]]
        found = await asyncio.to_thread(self.pictures.of, rows)
        sizes = np.array([len(jpeg) for jpeg in found], np.uint32)
        content = np.frombuffer(b"".join(found), np.uint8)
        return _message(packed({}, {"rows": np.array(rows, np.uint32), "sizes": sizes, "bytes": content}))

    async def _suggest(self, request: web.Request) -> web.Response:
        rows = _rows(await _body(request))
        found, tied = await asyncio.to_thread(self.session.suggest, rows)
        return web.json_response({"suggestions": [one.to_dict() for one in found], "tied": tied})

    def _action(self, name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def act(request: web.Request) -> web.Response:
            body = await _body(request)
            async with self._acting:
                before = self.session.shown
                shown = await asyncio.shield(asyncio.to_thread(_acted, self.session, name, body))
                # A page that missed something gets everything.
                known = body.get("version") == before.version
                rows = (
                    shown.changed_from(before) if known else np.arange(len(shown.decision), dtype=np.uint32)
                )
                return _message(packed(self.session.summary(), _state(shown, rows)))

        return act


def _acted(session: Session, name: str, body: dict[str, Any]) -> Shown:
    if name in ("undo", "redo"):
        return session.undo() if name == "undo" else session.redo()
    if name == "move_all":
        moves = body.get("moves")
        if not isinstance(moves, list) or not all(isinstance(one, dict) for one in moves):
            raise UserError("moves: a list is needed")
        return session.move_all([(_rows(one), str(one.get("bin"))) for one in moves])
    rows = _rows(body)
    if name == "decide":
        return session.decide(rows, body.get("decision"))
    if name == "move":
        return session.move(rows, body.get("bin"))
    return session.merge(rows) if name == "merge" else session.split(rows)


def _state(shown: Shown, rows: Any) -> dict[str, Any]:
    return {
        "rows": rows,
        "decision": shown.decision[rows],
        "moved": shown.moved[rows],
        "person": shown.person[rows],
    }


@web.middleware
async def _told(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What a person did wrong is told in a line; a bug is told, too, and its traceback goes to the log."""
    try:
        return await handler(request)
    except UserError as error:
        return web.json_response({"error": str(error)}, status=409)
    except web.HTTPException as error:
        return web.json_response({"error": error.reason}, status=error.status)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return web.json_response(
            {"error": "this failed, and nothing was kept; see the server's log"}, status=500
        )


async def _body(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType()
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest()
    return body


def _rows(body: dict[str, Any]) -> list[int]:
    rows = body.get("rows")
    if not isinstance(rows, list) or not all(type(row) is int for row in rows):
        raise UserError("rows: a list of numbers is needed")
    return rows


def _row(value: Any, count: int) -> int:
    if not str(value).isdigit() or int(value) >= count:
        raise UserError("no such face: load the page again")
    return int(value)


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    """Values that JSON has: no NaN and no bytes."""

    def plain(value: Any) -> Any:
        if isinstance(value, float):
            return value if np.isfinite(value) else None
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        return [plain(one) for one in value] if isinstance(value, list | tuple) else value

    return {key: plain(value) for key, value in found.items()}


def _message(content: bytes) -> web.Response:
    return web.Response(body=content, content_type="application/octet-stream")
