"""Which files are the same: those of one content id, once every byte of them has been compared."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from lpff_ray.errors import UserError
from lpff_ray.plan.content import FileContent, whole_id
from lpff_ray.plan.sequences import whole_sequence_id
from lpff_ray.storage.failures import explain
from lpff_ray.storage.opening import filesystem_of, opened
from lpff_ray.storage.redaction import redacted
from lpff_ray.storage.uri import protocol_of
from lpff_ray.types import MediaKind, VideoStatus

_CHECKSUMS = {"s3": "ETag", "s3a": "ETag", "gs": "md5Hash", "gcs": "md5Hash"}
"""By protocol: what fsspec calls the store's checksum. Equal ones are of equal bytes; unequal ones say nothing, for an
ETag also depends on how a file was sent."""
log = logging.getLogger(__name__)

Mapped = Callable[[Callable[[str], FileContent], Iterable[str]], Iterable[FileContent]]
"""How to call a function for several uris: `map`, or that of a pool."""


def without_false_duplicates(
    contents: Mapping[str, FileContent], earlier: Mapping[str, str], call: Mapped = map
) -> dict[str, FileContent]:
    """The same contents, with ids of their own for files that share one and are not the same in every byte.

    A copy that is damaged, cut or not yet filled between the blocks that its id counts must not pass for the sound
    file. Such files get the id that counts every byte, but for one that an earlier plan knows by the shared id: its
    rows are there under it.

    contents: by uri. earlier: content ids of an earlier plan, by redacted uri. A file that can no longer be read
    to its end is unreadable then.
    """
    shared: dict[str, list[str]] = defaultdict(list)
    for uri, content in contents.items():
        if content.status == VideoStatus.PLANNED and not content.whole:
            shared[content.identity].append(uri)
    suspects = {key: uris for key, uris in shared.items() if len({_place(uri) for uri in uris}) > 1}
    suspects = {key: uris for key, uris in suspects.items() if not _stated_to_be_equal(uris)}
    uris = [uri for group in suspects.values() for uri in group]
    compared = dict(zip(uris, call(lambda uri: _compared(uri, contents[uri]), uris), strict=True))
    found = dict(contents)
    for identity, group in suspects.items():
        known = [uri for uri in group if earlier.get(redacted(uri)) == identity]
        ids = [compared[uri].identity for uri in group if compared[uri].status == VideoStatus.PLANNED]
        kept = compared[known[0]].identity if known else ids[0] if len(set(ids)) == 1 else ""
        for uri in group:
            same = compared[uri].identity == kept
            found[uri] = replace(compared[uri], identity=identity if same else compared[uri].identity)
    return found


def _place(uri: str) -> object:
    """The same for two names of one file: then there is nothing to compare."""
    if not os.path.isabs(uri):
        return uri
    try:
        status = os.stat(uri)
    except OSError:
        return uri
    return status.st_dev, status.st_ino


def _stated_to_be_equal(uris: list[str]) -> bool:
    """Whether one object store states the same checksum of all: then they need not be fetched to be compared."""
    if not all(protocol_of(uri) in _CHECKSUMS for uri in uris):
        return False
    stated = set()
    for uri in uris:
        try:
            filesystem, path = filesystem_of(uri)
            stated.add((protocol_of(uri), filesystem.info(path).get(_CHECKSUMS[protocol_of(uri)])))
        except Exception:
            log.info("%s: no checksum of it can be had", redacted(uri), exc_info=True)
            return False
    return len(stated) == 1 and None not in {checksum for _, checksum in stated}


def _compared(uri: str, content: FileContent) -> FileContent:
    """The content with the id that counts every byte."""
    try:
        if content.info is not None and content.info.kind == MediaKind.SEQUENCE:
            return replace(content, identity=whole_sequence_id(uri), whole=True)
        with opened(uri) as (file, size):
            return replace(content, identity=whole_id(file, size), whole=True)
    except (KeyboardInterrupt, SystemExit, UserError):
        raise
    except BaseException as error:
        reason = f"it can not be read to its end: {explain(error, uri)}"
        log.info("%s: %s", redacted(uri), reason, exc_info=True)
        return replace(content, status=VideoStatus.UNREADABLE, reason=reason, info=None)
