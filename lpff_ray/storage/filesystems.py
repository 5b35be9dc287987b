"""fsspec's file systems, with a bound on how long a server may be silent.

Left to themselves, clients wait for minutes for a server that has stopped in the middle of a file, and aiohttp ends
whole downloads after five minutes, however well they go on.
"""

from __future__ import annotations

from typing import Any

import fsspec

from lpff_ray.storage.uri import protocol_of, split_chain

CONNECT_S, SILENCE_S = 15.0, 30.0
"""Seconds until a server must answer, and until it must send the next bytes of an answer."""


def bounded_filesystem(uri: str) -> tuple[Any, str]:
    """fsspec's file system for a URI or a chain of them, and the path in it.

    What the user's own configuration of fsspec says wins over the bounds. Raises what fsspec raises.
    """
    bounds, rest = {}, uri
    while rest:
        link, rest = split_chain(rest)
        protocol = link.partition("://")[0]
        if found := _bounds(protocol):
            bounds[protocol] = found
    if "::" in uri and not split_chain(uri)[1]:  # a name that holds what fsspec takes for a chain
        protocol = protocol_of(uri)
        kind = fsspec.get_filesystem_class(protocol)
        given = {**bounds.get(protocol, {}), **kind._get_kwargs_from_urls(uri)}
        return fsspec.filesystem(protocol, **given), kind._strip_protocol(uri)
    return fsspec.core.url_to_fs(uri, **bounds)


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
