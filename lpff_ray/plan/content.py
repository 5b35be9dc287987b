"""What the file behind a URI is: the identity of its content, and what a probe says of it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import BinaryIO

from lpff_ray.decode.probe import MediaInfo, Unreadable, looks_like_media, probe
from lpff_ray.storage.failures import explain
from lpff_ray.storage.opening import opened
from lpff_ray.storage.places import refused, suspected_place
from lpff_ray.storage.uri import file_name
from lpff_ray.types import VideoStatus

BLOCK = 64 * 1024
HEAD = 4096  # bytes that tell media from other files


@dataclass(frozen=True)
class FileContent:
    """What the file behind one uri turned out to be.

    identity: its content id, or a hash of the uri if its bytes could not be read. size: bytes.
    info: what a probe says, None unless it is to be mined.
    place: the host or bucket that may be why it could not be read and does not answer; "" if there is none.
    """

    identity: str
    size: int
    status: VideoStatus
    reason: str = ""
    info: MediaInfo | None = None
    place: str = ""


def inspect(uri: str) -> FileContent:
    """Open a file, name its content, and probe it if it is media; what is wrong with it is in the answer."""
    identity, size = hashlib.sha256(uri.encode("utf-8", "surrogatepass")).hexdigest()[:16], 0
    if uri != uri.encode("utf-8", "replace").decode():
        return FileContent(
            identity, size, VideoStatus.UNREADABLE, "the file name is not UTF-8: rename the file"
        )
    try:
        with opened(uri) as (file, size):
            identity = content_id(file, size)
            file.seek(0)
            if not looks_like_media(file.read(HEAD), file_name(uri)):
                return FileContent(identity, size, VideoStatus.NOT_MEDIA, "neither a video nor a photo")
            file.seek(0)
            # FFmpeg reads a local path faster than a Python file.
            info = probe(uri if os.path.isabs(uri) else file, file_name(uri))
            return FileContent(identity, size, VideoStatus.PLANNED, info=info)
    except Unreadable as error:
        return FileContent(identity, size, VideoStatus.UNREADABLE, str(error))
    except OSError as error:
        # Of a folder that is missing, or a bucket that refuses, nothing tells that they were ever there.
        asked = "://" in uri and not refused(error)
        place = suspected_place(uri, error) if asked else ""
        place = "" if os.path.isabs(place) else place
        return FileContent(identity, size, VideoStatus.UNREADABLE, explain(error, uri), place=place)


def content_of(video_id: str) -> str:
    """The content id that a video's id begins with; a clip's own follows it."""
    return video_id.partition("-")[0]


def content_id(file: BinaryIO, size: int) -> str:
    """16 hex digits that name the content: SHA-256 of the size and of the first and last 64 KiB.

    file: readable and seekable, left anywhere. size: its length in bytes. Files up to 128 KiB are hashed
    whole; larger ones of equal length that differ only in between would share an identity, which compressed
    media with an index at either end does not do.
    """
    digest = hashlib.sha256(str(size).encode())
    file.seek(0)
    digest.update(file.read(BLOCK))
    if size > BLOCK:
        file.seek(size - BLOCK)
        digest.update(file.read(BLOCK))
    return digest.hexdigest()[:16]
