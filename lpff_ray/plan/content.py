"""What the file behind a URI is: the identity of its content, and what a probe says of it."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from lpff_ray.decode.formats import looks_like_media, not_read
from lpff_ray.decode.probe import MediaInfo, Unreadable, probe
from lpff_ray.errors import UserError
from lpff_ray.storage.failures import explain
from lpff_ray.storage.opening import opened, read_spans
from lpff_ray.storage.places import silent_place
from lpff_ray.storage.redaction import redacted
from lpff_ray.storage.uri import file_name
from lpff_ray.types import MediaKind, VideoStatus

SCHEME = 2
"""How ids of content are made now. Runs of the first release have ids of scheme 1, and are gone on with by it."""
BLOCK, BLOCKS = 32 * 1024, 32
WHOLE = BLOCK * BLOCKS
"""Bytes of the largest video that is hashed whole; of larger ones as many, in blocks that are spread evenly."""
HEAD = 4096  # bytes that tell media from other files
_FIRST_BLOCK = 64 * 1024  # of scheme 1
_STEP = 1 << 20

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileContent:
    """What the file behind one uri turned out to be.

    identity: its content id, or a hash of the uri if its bytes could not be read. size: bytes.
    whole: whether every byte of the file counts in its identity.
    info: what a probe says, None unless it is to be mined.
    place: the host or bucket that may be why it could not be read and does not answer; "" if there is none.
    """

    identity: str
    size: int
    status: VideoStatus
    reason: str = ""
    info: MediaInfo | None = None
    whole: bool = True
    place: str = ""


def inspect(uri: str, scheme: int = SCHEME) -> FileContent:
    """Open a file, name its content, and probe it if it is media; what is wrong with it is in the answer.

    Whatever reading it raises ends here, as a reason, with the traceback in the log. Only UserErrors go on: they are
    about this machine (no room for a copy), not about the file.
    """
    identity, size = name_id(uri), 0
    if uri != uri.encode("utf-8", "replace").decode():
        return FileContent(
            identity, size, VideoStatus.UNREADABLE, "the file name is not UTF-8: rename the file"
        )
    try:
        with opened(uri) as (file, size):
            identity = content_id(file, size, scheme)
            file.seek(0)
            head = file.read(HEAD)
            file.seek(0)
            if not (looks_like_media(head, file_name(uri)) or not_read(head, file_name(uri))):
                return FileContent(identity, size, VideoStatus.NOT_MEDIA, "neither a video nor a photo")
            # FFmpeg reads a local path faster than a Python file.
            info = probe(uri if os.path.isabs(uri) else file, file_name(uri))
            whole = scheme == SCHEME and hashed_whole(head, size)
            return FileContent(identity, size, VideoStatus.PLANNED, info=info, whole=whole)
    except (KeyboardInterrupt, SystemExit, UserError):
        raise
    except BaseException as error:  # noqa: BLE001  # decoders raise what they like, panics included
        return failed(uri, error, identity, size)


def name_id(uri: str) -> str:
    """What stands for a content id where the bytes can not be read: a hash of the uri."""
    return hashlib.sha256(redacted(uri).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def failed(uri: str, error: BaseException, identity: str, size: int) -> FileContent:
    """The content of what could not be read, with the reason; the traceback goes to the log."""
    unreadable = isinstance(error, Unreadable)
    reason = str(error) if unreadable else explain(error, uri)
    place = "" if unreadable else _place_away(uri, error)
    log.info("%s: %s", redacted(uri), reason, exc_info=error)
    return FileContent(identity, size, VideoStatus.UNREADABLE, reason, place=place)


def _place_away(uri: str, error: BaseException) -> str:
    """The host or bucket that may be away; of a folder that is missing, or a bucket that refuses, nothing tells that
    they were ever there."""
    if not isinstance(error, OSError) or "://" not in uri:
        return ""
    place = silent_place(uri, error)
    return "" if os.path.isabs(place) else place


def content_of(video_id: str) -> str:
    """The content id that a video's id begins with; a clip's own follows it."""
    return video_id.partition("-")[0]


def hashed_whole(head: bytes, size: int) -> bool:
    """Whether a content id counts every byte: of photos, whose pixels may lie bare in them, and of small files."""
    return size <= WHOLE or looks_like_media(head, "") == MediaKind.PHOTO


def content_id(file: BinaryIO, size: int, scheme: int = SCHEME) -> str:
    """16 hex digits that name the content: SHA-256 of the size, and of all bytes or of blocks all over the file.

    file: readable and seekable, left anywhere. size: its length in bytes. scheme: 1 for the ids of the first release,
    which took the first and last 64 KiB.
    Large videos that differ only between the blocks share an id: whoever takes them for the same must compare them
    whole (`whole_id`).
    """
    if scheme == 1:
        return _id_of_both_ends(file, size)
    file.seek(0)
    if hashed_whole(file.read(HEAD), size):
        return whole_id(file, size)
    starts = [number * (size - BLOCK) // (BLOCKS - 1) for number in range(BLOCKS)]
    digest = hashlib.sha256(str(size).encode())
    for block in read_spans(file, [(start, start + BLOCK) for start in starts]):
        digest.update(block)
    return digest.hexdigest()[:16]


def whole_id(file: BinaryIO, size: int) -> str:
    """The content id that counts every byte, whatever the file is."""
    digest = hashlib.sha256(str(size).encode())
    for block in _all_of(file, size):
        digest.update(block)
    return digest.hexdigest()[:16]


def _all_of(file: BinaryIO, size: int) -> Iterator[bytes]:
    return read_spans(file, [(start, min(start + _STEP, size)) for start in range(0, size, _STEP)])


def _id_of_both_ends(file: BinaryIO, size: int) -> str:
    digest = hashlib.sha256(str(size).encode())
    file.seek(0)
    digest.update(file.read(_FIRST_BLOCK))
    if size > _FIRST_BLOCK:
        file.seek(size - _FIRST_BLOCK)
        digest.update(file.read(_FIRST_BLOCK))
    return digest.hexdigest()[:16]
