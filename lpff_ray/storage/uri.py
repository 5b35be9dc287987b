"""URIs: an absolute path of this machine, or anything with a protocol that fsspec knows.

Chains such as `zip://member.mp4::s3://bucket/archive.zip` are URIs, too.
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

_PROTOCOL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


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
    head, chain, rest = source.partition("::")
    if chain and head in ("simplecache", "filecache", "blockcache"):
        return absolute(rest, folder)
    if _PROTOCOL.match(head):
        return f"{head}::{absolute(rest, folder)}" if chain else source
    return os.path.abspath(os.path.join(folder, os.path.expanduser(source)))


def file_name(uri: str) -> str:
    """The last part of the path, without an archive's chain or a web address's query."""
    head = uri if os.path.isabs(uri) else uri.partition("::")[0]
    if head.startswith(("http://", "https://")):
        head = head.partition("?")[0].partition("#")[0]
    return head.rsplit("/", 1)[-1]
