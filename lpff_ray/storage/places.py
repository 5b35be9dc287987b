"""The places that files lie at, and whether a failure to reach a file may be its place's.

A place is what can be away as a whole: a web host, a bucket, a local folder whose disk can be unmounted.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from lpff_ray.errors import SegmentError
from lpff_ray.storage.failures import explain
from lpff_ray.storage.opening import opened
from lpff_ray.storage.redaction import redacted, redacted_text
from lpff_ray.storage.uri import split_chain
from lpff_ray.types import Stage

REFUSED = (401, 403)
TRANSIENT = (408, 421, 425, 429)
"""HTTP statuses that a host gives for all of its files at a time, beside those of 500 and more."""
_DISK = {
    *(errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO, errno.EBUSY, errno.ETIMEDOUT),
    *(errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH, errno.ECONNREFUSED),
}
_UNREACHED = (
    "ClientConnectionError",
    "ClientPayloadError",
    "HTTPClientError",
    "ConnectionError",
    "TransportError",
)
"""Classes of the clients of web and object stores for what is no answer at all, and their subclasses."""
_NO_ACCESS = ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError", "GoogleAuthError")
WITNESSES = 3
"""Files of a place that are tried, at most, to tell whether it is there."""


def place_of(uri: str) -> str:
    """The place of a file: `http://host:port`, `s3://bucket`, a local file's folder; of a member, its archive's."""
    base = _base(uri)
    if os.path.isabs(base) or "://" not in base:
        return os.path.dirname(base) or os.sep
    parts = urlsplit(redacted(base))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _base(uri: str) -> str:
    """The file that lies at a place: of a member, its archive."""
    while archive := split_chain(uri)[1]:
        uri = archive
    return uri


def lies_at(uri: str, place: str) -> bool:
    """Whether a file is at a place, or in a folder below it."""
    base = _base(uri)
    if os.path.isabs(place):
        return base.startswith(f"{place.rstrip(os.sep)}{os.sep}")
    return place_of(uri) == place


def suspected_place(uri: str, error: BaseException | None = None) -> str:
    """The place that may be the cause of a failure to read `uri`; "" if only the file can be.

    error: what its client raised, or what was made of that; not needed for local files, whose folder is looked at.
    It is only a suspicion: a refusal, or an empty folder, may be the file's own.
    """
    base = _base(uri)
    if os.path.isabs(base):
        return missing_folder(base)
    return place_of(uri) if error is not None and any(map(_may_be_of_place, _chain(error))) else ""


def of_place(error: SegmentError, uri: str) -> SegmentError:
    """The same failure, with the place that may be its cause: a decoder does not know why it can not open a file."""
    if error.failure.place or error.failure.stage not in (Stage.OPEN, Stage.DECODE):
        return error
    return SegmentError(replace(error.failure, place=suspected_place(uri)))


def silent_place(uri: str, error: BaseException) -> str:
    """As `suspected_place`, where a refusal (no access) is an answer like others: nothing tells that waiting helps."""
    return "" if _refused(error) else suspected_place(uri, error)


def _refused(error: BaseException) -> bool:
    return any(isinstance(one, PermissionError) or _status(one) in REFUSED for one in _chain(error))


def missing_folder(path: str) -> str:
    """The highest folder above a local path that is missing, empty or can not be listed; "" if its folder is there."""
    folder = os.path.dirname(path)
    while True:
        above = os.path.dirname(folder)
        try:
            with os.scandir(folder) as entries:
                return "" if any(entries) else folder
        except (FileNotFoundError, NotADirectoryError):
            if above == folder or _holds_something(above):
                return folder
            folder = above
        except OSError:
            return folder


def _holds_something(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entries)
    except OSError:
        return False


def identity_of(folder: str) -> tuple[int, int] | None:
    """Device and inode of a local folder, None if it is not there: an unmounted disk shows another folder."""
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def why_away(place: str, uris: Sequence[str], known: tuple[int, int] | None = None) -> str:
    """Why a place is away, "" if it is there: it answers for one of the files `uris` at least.

    known: the identity of a local folder when it was there. Reads a byte of each file until one can be read, so that
    what a client has remembered of the place is no answer.
    """
    if os.path.isabs(place):
        if known is not None and identity_of(place) == known:
            try:
                os.listdir(place)
                return ""
            except OSError as error:
                return explain(error, place)
        folder = missing_folder(os.path.join(place, "file"))
        if not folder:
            return ""
        return (
            "the folder is empty: is its disk mounted?"
            if os.path.isdir(folder)
            else "the folder is not there"
        )
    why = ""
    for uri in uris[:WITNESSES]:
        try:
            with opened(uri) as (file, _):
                file.read(1)
            return ""
        except OSError as error:
            if not suspected_place(uri, error):
                return ""  # it answered
            why = why or redacted_text(explain(error, uri))
    return why


def _may_be_of_place(error: BaseException) -> bool:
    status = _status(error)
    if status == 404 and "NoSuchBucket" in str(error):  # another endpoint, perhaps
        return True
    if status:
        return status >= 500 or status in TRANSIENT or status in REFUSED
    if isinstance(error, (ConnectionError, TimeoutError, asyncio.TimeoutError, PermissionError, ImportError)):
        return True
    if isinstance(error, OSError) and error.errno in _DISK:
        return True
    names = {kind.__name__ for kind in type(error).__mro__}
    return not names.isdisjoint((*_UNREACHED, *_NO_ACCESS))


def _status(error: BaseException) -> int:
    """The HTTP status that an exception of a web or object store client stands for; 0 if none."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    for name in ("status", "code"):  # aiohttp, gcsfs
        value = getattr(error, name, None)
        if isinstance(value, int):
            return value
    return 0


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and its causes, the ones hidden by `from None` too."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__
