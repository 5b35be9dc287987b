"""A review server within the test's process, and requests as a browser or somebody else makes them."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from lpff_ray.reports.review.catalogue import read_catalogue
from lpff_ray.reports.review.packing import unpacked
from lpff_ray.reports.review.pictures import PictureCache
from lpff_ray.reports.review.server import ReviewServer
from lpff_ray.reports.review.session import Session
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.thumbnails import commit_thumbnails


@contextmanager
def served(out: str, reviewer: str = "Ann", host: str = "127.0.0.1") -> Iterator[ReviewServer]:
    """A server of a run, on a thread of its own."""
    catalogue = read_catalogue(out)
    session = Session(catalogue, reviewer)
    server = ReviewServer(session, PictureCache(catalogue), host)
    loop, begun = asyncio.new_event_loop(), threading.Event()
    ended = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve(ended, begun.set)))
    thread.start()
    assert begun.wait(20)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(20)
        session.close()


def asked(
    server: ReviewServer,
    path: str,
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    method: str | None = None,
) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and content of what the page would get; headers: over those that its browser sends."""
    origin = f"http://127.0.0.1:{server.port}"
    sent = {"Cookie": f"{server.access.cookie}={server.access.token}"}
    data = None
    if body is not None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent |= {"Origin": origin, "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
    sent |= headers or {}
    sent = {name: value for name, value in sent.items() if value}
    request = urllib.request.Request(origin + path, data, sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def message(server: ReviewServer, path: str, body: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Head and columns of a packed message. Another status than 200 fails the test."""
    status, _, content = asked(server, path, body)
    assert status == 200, content
    return unpacked(content)


def with_thumbnails(out: str | Path, face_ids: Sequence[str], segment_id: str = "v-00000") -> None:
    """Give faces of one segment thumbnails: squares of one colour each."""
    jpegs = []
    for number in range(len(face_ids)):
        content = io.BytesIO()
        colour = np.array([40 + number * 37 % 200, 40 + number * 71 % 200, 90], np.uint8)
        Image.fromarray(np.broadcast_to(colour, (128, 128, 3)).copy()).save(content, "JPEG")
        jpegs.append(content.getvalue())
    columns = {"face_id": list(face_ids), "jpeg": jpegs, "region": [[0.0, 0.0, 64.0, 64.0]] * len(jpegs)}
    commit_thumbnails(Folder(str(out)), segment_id, pl.DataFrame(columns, schema=schema.THUMBNAILS))
