"""URIs without what must not be published: passwords, signatures, tokens.

Tables, logs, messages and what an export writes hold redacted URIs. What opens a file needs the whole one; it stays in
memory, and is given anew when a run is resumed. A redacted URI is the identity of its source: a signed address is known
by its path.
"""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, urlencode

from lpff_ray.storage.uri import ARCHIVES, split_chain

_WEB = ("http", "https", "webdav", "webdavs", "dav", "davs")
_NO_PASSWORDS = ("github", "git", "hf")
"""Protocols whose URIs hold a colon and an @ for other things: `github://owner:repository@branch/path`."""
_SIGNATURES = (
    "x-amz-signature",
    "x-goog-signature",
    "x-oss-signature",
    "signature",
    "sig",
    "hmac",
    "hdnts",
    "hdnea",
)
"""Parameters that sign an address: then all others are of the signature, but for those that name a version."""
_VERSIONS = ("versionid", "generation", "snapshot")
_SECRET = re.compile(
    r"token|secret|passw|pwd|signature|credential|api[-_]?key|access[-_]?key|auth|jwt|bearer|session|^x-(amz|goog)-",
    re.I,
)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s'\"<>|`]+")
_LOOSE = re.compile(
    r"(?i)\b((?:x-(?:amz|goog)-[a-z-]*|signature|sig|[a-z_-]*(?:token|secret|password|apikey|api_key|accesskeyid)))"
    r"(=|%3D|['\"]?: ?['\"])[^&\s'\"<>,)]+"
)


def redacted(uri: str) -> str:
    """A URI without user and password, without its signature or other secret parameters; a local path as it is."""
    if os.path.isabs(uri) or "://" not in uri:
        return uri
    member, archive = split_chain(uri)
    if archive:
        return f"{member}::{redacted(archive)}"
    protocol, _, rest = uri.partition("://")
    if protocol in (*ARCHIVES, "file", "local", "memory"):
        return uri
    host, slash, path = rest.partition("/")
    query = ""
    if protocol.lower() in _WEB:
        host, slash, path, query = _split_web(rest)
    user, at, name = host.rpartition("@")
    if at and protocol not in _NO_PASSWORDS and (":" in user or protocol.lower() in _WEB):
        host = name
    query = _public(query)
    return f"{protocol}://{host}{slash}{path}" + (f"?{query}" if query else "")


def _split_web(rest: str) -> tuple[str, str, str, str]:
    """Host, slash, path and query of a web address after its protocol; the fragment is dropped, it is never sent."""
    before, _, query = rest.partition("#")[0].partition("?")
    host, slash, path = before.partition("/")
    return host, slash, path, query


def _public(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    signed = any(name.lower() in _SIGNATURES for name, _ in pairs)
    kept = [
        (name, value)
        for name, value in pairs
        if (name.lower() in _VERSIONS if signed else not _SECRET.search(name))
    ]
    return query if len(kept) == len(pairs) else urlencode(kept)


def redacted_text(text: str) -> str:
    """A message, log line or traceback, each URI in it redacted, and what looks like a secret by itself."""
    return _LOOSE.sub(r"\1\2...", _URI.sub(lambda found: redacted(found.group()), text))
