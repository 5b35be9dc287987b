"""The bytes behind a URI, wherever they lie; every failure to reach them is an OSError with one line for a person."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from lpff_ray.errors import UserError
from lpff_ray.storage.archives import archive_member, check_unpacked
from lpff_ray.storage.failures import NO_ROOM, OPEN_ERRORS, storage_failures
from lpff_ray.storage.filesystems import bounded_filesystem
from lpff_ray.storage.redaction import redacted
from lpff_ray.storage.uri import split_chain

log = logging.getLogger(__name__)

RANGE = 256 * 1024
"""Bytes of one range request. Larger blocks would fetch most of a 5 MB clip only to look at its index."""
SPANS_AT_ONCE = 16


@contextmanager
def opened(uri: str) -> Iterator[tuple[BinaryIO, int]]:
    """The file behind `uri`, seekable and at its start, and its size in bytes.

    Where the end cannot be had without all that comes before (web servers without range requests, compressed
    archive members) the file is copied once to a temporary one. Raises OSError, also for failures while
    reading, and UserError if there is no room for that copy.
    """
    if os.path.isabs(uri):
        with storage_failures(uri, ValueError):  # a name with a NUL in it
            mode = os.stat(uri).st_mode
        # A named pipe would block for ever, a device would never end.
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise OSError("not a regular file")
        with open(uri, "rb") as local:
            yield local, os.fstat(local.fileno()).st_size
        return
    with storage_failures(uri), _remote(uri) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        yield file, size


def filesystem_of(uri: str) -> tuple[Any, str]:
    """fsspec's file system of a URI, and the path in it. Raises what fsspec does where there is none."""
    return archive_member(uri) if split_chain(uri)[1] else bounded_filesystem(uri)


@contextmanager
def _remote(uri: str) -> Iterator[BinaryIO]:
    with storage_failures(uri, *OPEN_ERRORS):
        filesystem, path = filesystem_of(uri)
        if split_chain(uri)[1]:
            check_unpacked(filesystem, path, uri)
        file = filesystem.open(path, "rb", block_size=RANGE, cache_type="blockcache")
        free = _seeks_freely(file)
    with file:
        if free:
            yield file
            return
    with tempfile.TemporaryFile() as copy:
        # Block size 0 makes an HTTP file a plain stream; others take it as their default.
        with filesystem.open(path, "rb", block_size=0) as stream, _room_for(uri):
            shutil.copyfileobj(stream, copy, 1 << 20)
        yield copy


@contextmanager
def _room_for(uri: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise UserError(
            f"{tempfile.gettempdir()}: no room for a copy of {redacted(uri)}: {os.strerror(error.errno)}; set "
            "TMPDIR to a folder on another disk, or free some space, and run the same command to resume"
        ) from None


def exists(uri: str) -> bool:
    """Whether there is a file; one that can not be asked for is taken to be there."""
    if os.path.isabs(uri):
        return os.path.lexists(uri)
    try:
        with storage_failures(uri, *OPEN_ERRORS):
            filesystem, path = filesystem_of(uri)
            filesystem.info(path)
    except FileNotFoundError:
        return False
    except (OSError, UserError):
        log.info("%s: can not be asked for", redacted(uri), exc_info=True)
    return True


def read_spans(file: BinaryIO, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    """The bytes from start to stop of each span, in their order.

    file: as `opened` yields it. Of a remote one several spans are asked for at once, for each takes a journey.
    """
    filesystem = getattr(file, "fs", None)
    if not getattr(filesystem, "async_impl", False):
        for start, stop in spans:
            file.seek(start)
            yield file.read(stop - start)
        return
    path = file.path  # type: ignore[attr-defined]
    for first in range(0, len(spans), SPANS_AT_ONCE):
        some = spans[first : first + SPANS_AT_ONCE]
        starts, stops = [start for start, _ in some], [stop for _, stop in some]
        assert filesystem is not None
        yield from filesystem.cat_ranges([path] * len(some), starts, stops, on_error="raise")


def _seeks_freely(file: Any) -> bool:
    """Whether the end can be read without reading all before it. Leaves the end in the file's cache."""
    if isinstance(file, zipfile.ZipExtFile) or getattr(file, "size", 0) is None:
        return False
    file.seek(0, os.SEEK_END)
    try:
        file.seek(max(0, file.tell() - 1))
        file.read(1)
    except ValueError:  # fsspec's word for a web server that ignores ranges
        return False
    return True
