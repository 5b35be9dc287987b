"""The Ray node that one process starts for itself: it listens on loopback, and asks for a token.

Whoever reaches the ports of a Ray node can run programs as its user, and Ray listens on every interface.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray._private import ray_constants
from ray._private.utils import read_ray_address

_raylet: Any = ray._raylet
HEAD_S = 10
"""How long the processes of a private node go on without its head."""
AUTH_MODE, AUTH_TOKEN = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"
CLUSTER = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""False: Ray takes loopback for the address of this machine, and its servers listen there alone. It is meant for
systems without clusters, but all have it."""


@contextmanager
def guarded() -> Iterator[None]:
    """While entered, a node that `ray.init` starts listens on loopback alone and asks for a token that only this
    process and the node know.

    A RAY_AUTH_MODE of the caller's stays, and so does a token. The environment is restored by the caller; releases of
    Ray before 2.52 know no tokens.
    """
    os.environ.setdefault(AUTH_MODE, "token")
    if os.environ[AUTH_MODE] == "token" and not (
        os.environ.get(AUTH_TOKEN) or os.environ.get("RAY_AUTH_TOKEN_PATH")
    ):
        os.environ[AUTH_TOKEN] = secrets.token_hex(32)
    # Nobody starts the head of such a node again: Ray would wait a minute for it, several times over.
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", str(HEAD_S))
    with on_loopback():
        yield


@contextmanager
def on_loopback() -> Iterator[None]:
    """While entered, Ray takes loopback for the address of this machine, and shows the user's token if there is one.

    The environment is restored by the caller.
    """
    os.environ[CLUSTER] = "0"
    if Path.home().joinpath(".ray", "auth_token").exists():
        os.environ.setdefault(AUTH_MODE, "token")
    read_environment()
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def is_on_loopback(address: str) -> bool:
    """Whether a head (HOST:PORT, or "auto") listens on loopback alone: Ray itself would look for it elsewhere."""
    if address == "auto":
        address = read_ray_address() or ""
    host, _, port = address.rpartition(":")
    if host not in ("127.0.0.1", "localhost", "[::1]") or not port.isdigit():
        return False
    return _listens("127.0.0.1", int(port)) and not _listens(ray.util.get_node_ip_address(), int(port))


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def read_environment() -> None:
    """Have Ray read its mode of authentication and its token from the environment again; it keeps the first it saw."""
    if hasattr(_raylet, "AuthenticationTokenLoader"):  # else a release without tokens
        _raylet.Config.initialize("")
        _raylet.AuthenticationTokenLoader.instance().reset_cache()
