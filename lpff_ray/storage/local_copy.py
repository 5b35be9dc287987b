"""A local path for the bytes behind any URI, for decoders that read only local files.

The segments of a video are leased one after the other, so a process keeps its last copies for whoever asks next: a
video is fetched once, not once per segment.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache

from lpff_ray.errors import UserError, segment_error
from lpff_ray.storage.failures import NO_ROOM, OPEN_ERRORS, explain, storage_failures
from lpff_ray.storage.opening import filesystem_of, opened
from lpff_ray.storage.places import suspected_place
from lpff_ray.storage.redaction import redacted, redacted_text
from lpff_ray.storage.uri import absolute, file_name, split_chain
from lpff_ray.types import Stage

MOST_IDLE = 2
"""Copies kept while nobody reads them: of the video being mined, and of one that is not quite done yet."""
IDLE_SHARE = 0.1
"""They take at most so much of what is free on the disk: the copies of other processes must fit, too."""


@contextmanager
def local_copy(uri: str, content: str = "") -> Iterator[str]:
    """A local path to read `uri` from, as long as the context lasts. Threads share a copy, fetched by the first.

    content: what names the bytes (a content id). With it the copy may be kept for later callers that name the same;
        without it, it goes with its last reader.

    Local files (and file:// URIs) are used where they are. Others are fetched whole to
    $LPFF_RAY_CACHE (default: the system's temporary folder). The copy is a file without a name, of which nothing is
    left however the process ends; where the system can not open such files, its name ends as the URI's does, and it
    is not kept. Raises SegmentError (stage "open") if the bytes can not be had, UserError if there is no room for them.
    """
    if os.path.lexists(uri) or "://" not in uri:
        yield uri
        return
    if uri.startswith(("file://", "local://")):
        yield absolute(uri)
        return
    with _copies.reading(uri, content) as path:
        yield path


@contextmanager
def local_pictures(uri: str, content: str = "") -> Iterator[str]:
    """A local folder, zip or `zip://FOLDER::ZIP` to read a sequence of pictures from; as `local_copy` otherwise.

    Of a folder in a zip the zip is copied, once for all that ask for folders of it; a remote folder is copied whole,
    and goes with its last reader.
    """
    member, archive = split_chain(uri)
    if not archive:
        with local_copy(uri, content) as path:
            yield path
        return
    with local_copy(archive, f"all of {archive}") as path:
        yield f"{member}::{path}"


def drop_idle_copies(wait: bool = True) -> bool:
    """Give the room of copies that nobody reads back to the disk. Returns whether there were any.

    wait: False for finalizers, which may run in a thread that is just about to hand a copy back: then nothing is done.
    """
    return _copies.drop_idle(wait)


class _Copy:
    """readers: how many want it now. path: "" until it is fetched. held: what keeps it; closing that deletes it."""

    def __init__(self) -> None:
        self.readers = 0
        self.fetching = threading.Lock()
        self.path = ""
        self.held = ExitStack()


class _Copies:
    """The copies of this process, by URI and content; the one used longest ago comes first."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._copies: dict[tuple[str, str], _Copy] = {}

    @contextmanager
    def reading(self, uri: str, content: str) -> Iterator[str]:
        with self._guard:
            copy = self._copies.setdefault((uri, content), _Copy())
            copy.readers += 1
        try:
            yield self._path(copy, uri)
        finally:
            with self._guard:
                copy.readers -= 1
                if not copy.readers:
                    del self._copies[uri, content]
                    if content and copy.path.startswith(_NAMELESS):
                        self._copies[uri, content] = copy
                        self._trim()
                    else:
                        copy.held.close()

    def drop_idle(self, wait: bool = True) -> bool:
        if not self._guard.acquire(blocking=wait):
            return False
        try:
            return self._trim(most=0) > 0
        finally:
            self._guard.release()

    def _path(self, copy: _Copy, uri: str) -> str:
        with copy.fetching:  # whoever comes meanwhile waits, and tries it again if it failed
            if not copy.path:
                try:
                    copy.path = _fetched(uri, copy.held)
                except UserError:
                    if not self.drop_idle():
                        raise
                    copy.path = _fetched(uri, copy.held)
            return copy.path

    def _trim(self, most: int = MOST_IDLE) -> int:
        """Delete idle copies, the one used longest ago first, until the rest is within bounds. Returns how many."""
        idle = [(key, copy) for key, copy in self._copies.items() if not copy.readers]
        dropped = 0
        while idle and (len(idle) > most or not _fits([copy.path for _, copy in idle])):
            key, copy = idle.pop(0)
            copy.held.close()
            del self._copies[key]
            dropped += 1
        return dropped


_copies = _Copies()
_NAMELESS = "/proc/self/fd/"


def _fits(paths: list[str]) -> bool:
    disk = os.statvfs(paths[-1])
    return sum(os.stat(path).st_size for path in paths) <= IDLE_SHARE * disk.f_bavail * disk.f_frsize


@lru_cache(maxsize=8)
def _opens_nameless(folder: str) -> bool:
    """Whether a deleted file that is still open can be opened again: on Linux's local disks, by its entry in /proc."""
    with (
        tempfile.TemporaryDirectory(prefix="lpff-ray-", dir=folder) as probe,
        open(os.path.join(probe, "deleted"), "xb") as file,
    ):
        try:
            os.remove(file.name)
            open(f"{_NAMELESS}{file.fileno()}", "rb").close()
            return not os.listdir(probe)  # NFS gives such a file another name
        except OSError:
            return False


def _fetched(uri: str, held: ExitStack) -> str:
    """Fetch `uri`; returns the path of the copy, which lasts until `held` is closed."""
    cache = os.environ.get("LPFF_RAY_CACHE") or tempfile.gettempdir()
    remedy = "set LPFF_RAY_CACHE to a folder on another disk, or free some space, and run the same command to resume"
    try:
        os.makedirs(cache, exist_ok=True)
        nameless = _opens_nameless(cache)
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix="lpff-ray-", dir=cache))
    except OSError as error:
        raise UserError(
            f"{cache}: no place for copies of remote videos: {explain(error, cache)}; {remedy}"
        ) from None
    try:
        target = _fetch(uri, folder)
        if nameless and os.path.isfile(target):
            file = open(target, "rb")  # noqa: SIM115  # `held` closes it
            held.close()
            held.enter_context(file)
            target = f"{_NAMELESS}{file.fileno()}"
    except OSError as error:
        held.close()
        if error.errno in NO_ROOM:
            raise UserError(
                f"{cache}: no room for a copy of {redacted(uri)}: {os.strerror(error.errno)}; {remedy}"
            ) from None
        place, why = suspected_place(uri, error), redacted_text(f"{uri}: {explain(error, uri)}")
        raise segment_error(Stage.OPEN, why, "", type(error).__name__, place) from None
    except BaseException:
        held.close()
        raise
    return target


def _fetch(uri: str, folder: str) -> str:
    target = os.path.join(folder, "media" + os.path.splitext(file_name(uri))[1].lower())
    if split_chain(uri)[1]:  # a member of an archive, which `opened` keeps open
        with opened(uri) as (member, _), open(target, "wb") as copy:
            shutil.copyfileobj(member, copy, 1 << 20)
        return target
    with storage_failures(uri, *OPEN_ERRORS):
        filesystem, path = filesystem_of(uri)
        if filesystem.isdir(path):
            filesystem.get(f"{path.rstrip('/')}/", f"{target}/", recursive=True)
        else:
            filesystem.get_file(path, target)
    return target
