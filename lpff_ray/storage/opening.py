"""The bytes behind a URI, wherever they lie; every failure to reach them is an OSError with one line for a person."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from lpff_ray.errors import UserError
from lpff_ray.storage.archives import archive_member
from lpff_ray.storage.failures import NO_ROOM, OPEN_ERRORS, storage_failures
from lpff_ray.storage.filesystems import filesystem_of

RANGE = 256 * 1024
"""Bytes of one range request. Larger blocks would fetch most of a 5 MB clip only to look at its index."""


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


@contextmanager
def _remote(uri: str) -> Iterator[BinaryIO]:
    with storage_failures(uri, *OPEN_ERRORS):
        filesystem, path = archive_member(uri) if "::" in uri else filesystem_of(uri)
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
            f"{tempfile.gettempdir()}: no room for a copy of {uri}: {os.strerror(error.errno)}; set TMPDIR to a folder "
            "on another disk, or free some space, and run the same command to resume"
        ) from None


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
