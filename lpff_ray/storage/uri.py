"""The bytes behind a URI, wherever they lie.

A URI here is an absolute path of this machine, or anything with a protocol that fsspec knows, chains such as
`zip://member.mp4::s3://bucket/archive.zip` included. Every failure to reach the bytes is an OSError with one
line made for a person.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
import stat
import sys
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, BinaryIO
from urllib.parse import unquote

import fsspec

from lpff_ray.errors import UserError

# One range request. Larger blocks would fetch most of a 5 MB clip only to look at its index.
RANGE = 256 * 1024

_PROTOCOL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
_CREDENTIALS = {
    "s3": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
    "FSSPEC_S3_ANON=true for a public bucket",
    "gcs": "set GOOGLE_APPLICATION_CREDENTIALS; FSSPEC_GS_TOKEN=anon for a public bucket",
}
# Raised by storage clients without being OSErrors: (module, class), looked up only in modules already loaded.
_CLIENT_ERRORS = (
    ("aiohttp", "ClientError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("gcsfs.retry", "HttpError"),
)
OPEN_ERRORS = (ValueError, ImportError, KeyError, NotImplementedError, RuntimeError)
"""Raised by fsspec on the way to a file: no such protocol or package, no such member, a locked or damaged archive."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A disk, a quota or a limit on file sizes is exhausted: no other file fares better, so it ends the run."""


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
        filesystem, path = _filesystem(uri)
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


def _filesystem(uri: str) -> tuple[Any, str]:
    """fsspec's file system for a URI, and the path in it."""
    head, chain, archive = uri.partition("::")
    if not chain:
        filesystem, path = fsspec.core.url_to_fs(uri)
        return filesystem, path
    stamp = os.stat(archive).st_mtime_ns if os.path.isabs(archive) else 0
    with _archives:
        filesystem = _archive(head.partition("://")[0], archive, stamp)
    return filesystem, filesystem._strip_protocol(head)


_archives = threading.Lock()


@lru_cache(maxsize=4)
def _archive(protocol: str, place: str, stamp: int) -> Any:
    """An archive with its table of contents read, which takes 2 s for 70,000 members: not for each of them anew.

    stamp: when it was last changed, if that is known.
    """
    filesystem, _ = fsspec.core.url_to_fs(f"{protocol}://::{place}")
    filesystem.ls("")
    return filesystem


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


@contextmanager
def storage_failures(uri: str, *also: type[Exception]) -> Iterator[None]:
    """Turn whatever storage clients raise into OSErrors whose text is one line with the mend."""
    try:
        yield
    except FileNotFoundError as error:
        # fsspec says "not found" of every web server's failure; the cause tells a refusal from an absence.
        cause = error.__cause__
        status = getattr(cause, "status", 404)
        if status in (401, 403):
            raise PermissionError(uri) from error
        if cause is not None and (status != 404 or type(cause).__name__.startswith("ClientConnect")):
            raise OSError(explain(cause, uri)) from error
        raise
    except OSError:
        raise
    except (*_storage_errors(), *also) as error:
        raise OSError(explain(error, uri)) from error


def _storage_errors() -> tuple[type[Exception], ...]:
    loaded = [getattr(sys.modules[module], name) for module, name in _CLIENT_ERRORS if module in sys.modules]
    return (asyncio.TimeoutError, EOFError, zipfile.BadZipFile, zlib.error, *loaded)


def explain(error: BaseException, uri: str) -> str:
    """One line that says what is wrong with `uri` and, where there is one, the mend."""
    extra = _EXTRAS.get(uri.partition("://")[0], "")
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if isinstance(error, PermissionError) or "Credential" in type(error).__name__:
        return f"access denied or no credentials: {_CREDENTIALS[extra]}" if extra else "permission denied"
    if isinstance(error, ImportError) and extra:
        return f"the package for this kind of place is not installed: pip install 'lpff-ray[{extra}]'"
    text = str(error).strip().splitlines()
    # An OSError made by `storage_failures` already is such a line.
    if type(error) is OSError and error.errno is None and text:
        return text[0]
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {text[0] if text else 'no details given'}"


def absolute(place: str, folder: str = "") -> str:
    """What a person wrote, as an absolute local path or a URI with a protocol.

    folder: where relative places are read from; default the working folder. A file that literally has the
    name wins over every other reading of it. fsspec's cache prefixes are dropped: caching is the decoders'
    affair.
    """
    literal = os.path.abspath(os.path.join(folder, place))
    if os.path.lexists(literal):
        return literal
    for prefix in ("file://", "local://"):
        if place.startswith(prefix):
            path = place[len(prefix) :]
            return os.path.abspath(path if os.path.lexists(path) else unquote(path))
    head, chain, rest = place.partition("::")
    if chain and head in ("simplecache", "filecache", "blockcache"):
        return absolute(rest, folder)
    if _PROTOCOL.match(head):
        return f"{head}::{absolute(rest, folder)}" if chain else place
    return os.path.abspath(os.path.join(folder, os.path.expanduser(place)))


def file_name(uri: str) -> str:
    """The last part of the path, without an archive's chain or a web address's query."""
    head = uri if os.path.isabs(uri) else uri.partition("::")[0]
    if head.startswith(("http://", "https://")):
        head = head.partition("?")[0].partition("#")[0]
    return head.rsplit("/", 1)[-1]
