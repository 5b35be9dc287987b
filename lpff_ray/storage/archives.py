"""Files inside archives, such as `zip://member.mp4::s3://bucket/archive.zip`."""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from typing import Any

from lpff_ray.errors import UserError
from lpff_ray.storage.filesystems import bounded_filesystem
from lpff_ray.storage.uri import split_chain

MOST_UNPACKED_GB, UNPACKED_VARIABLE = 2.0, "LPFF_RAY_MAX_UNPACKED_GB"
MOST_RATIO = 100
"""A member that is packed more than MOST_RATIO to 1 may not unpack to more, unless the variable says otherwise. Videos
and photos hardly pack at all; what does is a black picture, or made to fill the disk."""


def check_unpacked(filesystem: Any, member: str, uri: str) -> None:
    """Raises OSError for a member that would unpack to an absurd size.

    filesystem, member: as `archive_member` gives them for `uri`. Raises UserError if the variable holds no number.
    """
    known, archive = filesystem.info(member), split_chain(uri)[1]
    size, packed = known.get("size") or 0, known.get("compress_size")
    if packed is None and os.path.isabs(archive):  # a tar is packed as a whole
        packed = os.path.getsize(archive)
    if packed is not None:
        check_size(size, packed)


def check_size(size: int, packed: int) -> None:
    """Raises OSError for a member of `packed` bytes that would unpack to an absurd `size`; UserError as above."""
    text = os.environ.get(UNPACKED_VARIABLE, "")
    try:
        most = float(text or MOST_UNPACKED_GB) * 1e9
    except ValueError:
        raise UserError(f"{UNPACKED_VARIABLE}={text}: not a number of gigabytes") from None
    if size > max(most, MOST_RATIO * packed):
        raise OSError(
            f"{packed / 1e6:.1f} MB in the archive would unpack to {size / 1e9:.1f} GB: set {UNPACKED_VARIABLE} if "
            "that is meant"
        )


def archive_member(uri: str) -> tuple[Any, str]:
    """fsspec's file system of an archive, and the member's path in it as its `open` takes it.

    uri: `protocol://member::uri of the archive`.
    """
    member, archive = split_chain(uri)
    stamp = os.stat(archive).st_mtime_ns if os.path.isabs(archive) else 0
    with _reading:
        return opened_archive(member.partition("://")[0], archive, stamp), member


_reading = threading.Lock()


@lru_cache(maxsize=4)
def opened_archive(protocol: str, uri: str, stamp: int) -> Any:
    """An archive with its table of contents read, once for all of its members: docs/evidence/storage.md#archives.

    stamp: when it was last changed, if that is known.
    """
    filesystem, _ = bounded_filesystem(f"{protocol}://::{uri}")
    filesystem.ls("")
    return filesystem
