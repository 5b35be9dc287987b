"""URIs: an absolute path of this machine, or anything with a protocol that fsspec knows.

Chains such as `zip://member.mp4::s3://bucket/archive.zip` are URIs, too.
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

ARCHIVES = ("zip", "tar", "libarchive")
"""Protocols of archives: only after these does `::` lead on to another URI. Elsewhere it is part of a name."""
_PROTOCOL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LEADS_ON = re.compile(r"::(?=/|[A-Za-z][A-Za-z0-9+.-]*://)")


def absolute(source: str, folder: str = "") -> str:
    """The uri of what a user wrote: an absolute local path, or with a protocol.

    folder: where relative paths are read from; default the working folder. A file that literally has the
    name wins over every other reading of it. fsspec's cache prefixes are dropped: `local_copy` does the caching.
    """
    literal = os.path.abspath(os.path.join(folder, source))
    if os.path.lexists(literal):
        return literal
    for prefix in ("file://", "local://"):
        if source.startswith(prefix):
            path = source[len(prefix) :]
            return os.path.abspath(path if os.path.lexists(path) else unquote(path))
    for prefix in ("simplecache::", "filecache::", "blockcache::"):
        if source.startswith(prefix):
            return absolute(source[len(prefix) :], folder)
    member, archive = split_chain(source)
    if archive:
        return f"{member}::{absolute(archive, folder)}"
    if _PROTOCOL.match(source):
        return source
    return os.path.abspath(os.path.join(folder, os.path.expanduser(source)))


def split_chain(uri: str) -> tuple[str, str]:
    """(`protocol://member`, uri of its archive) of a chain, (uri, "") of any other.

    The archive begins at the first `::` before a protocol or an absolute path, or else at the last one: names of
    members, and of objects in a store, may hold `::` as well.
    """
    if os.path.isabs(uri) or protocol_of(uri) not in ARCHIVES or "::" not in uri:
        return uri, ""
    found = _LEADS_ON.search(uri)
    at = found.start() if found else uri.rindex("::")
    return uri[:at], uri[at + 2 :]


def protocol_of(uri: str) -> str:
    """The protocol of a URI, "" of a local path."""
    return "" if os.path.isabs(uri) or "://" not in uri else uri.partition("://")[0]


def file_name(uri: str) -> str:
    """The last part of the path, without an archive's chain or a web address's query."""
    head = split_chain(uri)[0]
    if head.startswith(("http://", "https://")):
        head = head.partition("?")[0].partition("#")[0]
    return head.rsplit("/", 1)[-1]
