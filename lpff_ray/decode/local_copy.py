"""A local path for the bytes behind any URI, for decoders that read only local files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import fsspec

from lpff_ray.decode.frames import segment_error
from lpff_ray.storage import OPEN_ERRORS, absolute, file_name, opened, storage_failures


@contextmanager
def local_copy(uri: str) -> Iterator[str]:
    """A local path to read `uri` from, as long as the context lasts.

    Local files (and file:// URIs) are used where they are. Others are fetched whole (through fsspec's
    simplecache) into a folder of their own under $LPFF_RAY_CACHE (default: the system's temporary folder),
    which is removed afterwards; the copy keeps the ending of the name. Raises SegmentError (stage "open")
    if it can not be had.
    """
    if os.path.lexists(uri) or "://" not in uri:
        yield uri
        return
    if uri.startswith(("file://", "local://")):
        yield absolute(uri)
        return
    cache = os.environ.get("LPFF_RAY_CACHE") or tempfile.gettempdir()
    try:
        os.makedirs(cache, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix="lpff-ray-", dir=cache)
    except OSError as error:
        raise segment_error("open", f"no room for a local copy in {cache}: {error}", "") from None
    with folder as place:
        yield _fetch(uri, place)


def _fetch(uri: str, folder: str) -> str:
    target = os.path.join(folder, "media" + os.path.splitext(file_name(uri))[1].lower())
    # The folder is new for each copy, so fsspec must not keep the file system that belongs to it.
    options = {"cache_storage": folder, "skip_instance_cache": True}
    try:
        if "::" in uri:  # a member of an archive, which `opened` keeps open
            with opened(uri) as (member, _), open(target, "wb") as copy:
                shutil.copyfileobj(member, copy, 1 << 20)
            return target
        with storage_failures(uri, *OPEN_ERRORS):
            filesystem, path = fsspec.core.url_to_fs(f"simplecache::{uri}", simplecache=options)
            with filesystem.open(path, "rb") as cached:
                os.rename(cached.name, target)
    except OSError as error:
        raise segment_error("open", f"{uri}: {error}", "") from None
    return target
