"""fsspec's file systems, with a bound on how long a server may be silent.

Left to themselves, clients wait for minutes for a server that has stopped in the middle of a file, and aiohttp ends
whole downloads after five minutes, however well they go on.
"""

from __future__ import annotations

from typing import Any

import fsspec

CONNECT_S, SILENCE_S = 15.0, 30.0
"""Seconds until a server must answer, and until it must send the next bytes of an answer."""


def filesystem_of(uri: str, **options: Any) -> tuple[Any, str]:
    """fsspec's file system for a URI or a chain of them, and the path in it.

    options: by protocol, as of `fsspec.core.url_to_fs`. What the user's own configuration of fsspec says wins over the
    bounds. Raises what fsspec raises.
    """
    bounds = {}
    for link in uri.split("::"):
        protocol = link.partition("://")[0]
        found = _bounds(protocol)
        if found:
            bounds[protocol] = found
    return fsspec.core.url_to_fs(uri, **{**bounds, **options})


def _bounds(protocol: str) -> dict[str, Any]:
    ours: dict[str, Any] = {}
    if protocol in ("http", "https"):
        import aiohttp

        times = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
        ours = {"client_kwargs": {"timeout": times}}
    elif protocol in ("s3", "s3a"):
        # s3fs tries again by itself; botocore below it would do so as often each time.
        ours = {
            "config_kwargs": {
                "connect_timeout": CONNECT_S,
                "read_timeout": SILENCE_S,
                "retries": {"total_max_attempts": 2},
            }
        }
    theirs = fsspec.config.conf.get(protocol, {})
    return {name: {**values, **theirs.get(name, {})} for name, values in ours.items()}
