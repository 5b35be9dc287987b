"""Files inside archives, such as `zip://member.mp4::s3://bucket/archive.zip`."""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from typing import Any

from lpff_ray.storage.filesystems import filesystem_of


def archive_member(uri: str) -> tuple[Any, str]:
    """fsspec's file system of an archive, and the member's path in it as its `open` takes it.

    uri: `protocol://member::uri of the archive`.
    """
    member, _, archive = uri.partition("::")
    stamp = os.stat(archive).st_mtime_ns if os.path.isabs(archive) else 0
    with _reading:
        return opened_archive(member.partition("://")[0], archive, stamp), member


_reading = threading.Lock()


@lru_cache(maxsize=4)
def opened_archive(protocol: str, uri: str, stamp: int) -> Any:
    """An archive with its table of contents read, once for all of its members: docs/evidence/storage.md#archives.

    stamp: when it was last changed, if that is known.
    """
    filesystem, _ = filesystem_of(f"{protocol}://::{uri}")
    filesystem.ls("")
    return filesystem
