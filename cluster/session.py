"""The connection to Ray, and the check that its workers see the output folder."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout, suppress
from io import TextIOBase
from pathlib import Path
from typing import Any, TextIO

import ray

from cluster.private_node import guarded, is_on_loopback, on_loopback, read_environment
from lpff_ray.errors import UserError
from lpff_ray.run.lease import one_line
from lpff_ray.storage.folder import Folder

MIB = 1 << 20
DAY = 86_400


@contextmanager
def session(address: str = "") -> Iterator[None]:
    """Be connected to Ray: to `address`, else to RAY_ADDRESS (set inside a Ray job), else to a node of our own.

    A connection that exists already is used and left open. The caller's loggers, standard output and environment are
    afterwards as they were. Raises UserError if the cluster can not be reached.
    """
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS", "")
    # What workers print stays in Ray's log files: FFmpeg's complaints about every other frame would bury the bar. What
    # they log with Python comes back with their answers (actors.worker).
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address and address != "local":
        _check_reachable(address)
        where: dict[str, Any] = {"address": address}
    else:
        if " " in sys.executable:  # its raylet would try for five minutes and more, without a message
            raise UserError(
                f"Ray can not start workers from {sys.executable}: move Python to a path without a space"
            )
        # Leases and answers are all that crosses Ray: its object store can be as small as Ray allows.
        where = {"address": "local", "include_dashboard": False, "object_store_memory": 128 * MIB}
    guard: AbstractContextManager[None] = nullcontext()
    if where["address"] == "local":
        guard = guarded()
    elif is_on_loopback(address):
        guard = on_loopback()
    with _as_before(), guard, redirect_stdout(_WithoutRaylet(sys.stdout)):
        try:
            ray.init(**where, **quiet)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise UserError(
                f"can not connect to Ray at {address or 'a local node'}: {one_line(error)}"
            ) from None
        try:
            yield
        finally:
            ray.shutdown()


@contextmanager
def _as_before() -> Iterator[None]:
    """Have Ray keep quiet, and leave nothing of what it sets in this process behind.

    It sets its own SIGTERM handler and excepthook, PYTHONBREAKPOINT, and variables of its own.
    """
    logger, environment = logging.getLogger("ray"), dict(os.environ)
    level, handlers, propagate = logger.level, list(logger.handlers), logger.propagate
    main = threading.current_thread() is threading.main_thread()  # signals are its alone
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    excepthook = sys.excepthook
    logger.setLevel(logging.ERROR)  # tips and notices; errors reach us as exceptions
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.handlers[:], logger.propagate = handlers, propagate
        sys.excepthook = excepthook
        for number, handler in signals.items():
            if main and handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)
        for name in environment.keys() | os.environ.keys():
            if name.startswith("RAY_") or name == "PYTHONBREAKPOINT":
                if name in environment:
                    os.environ[name] = environment[name]
                else:
                    os.environ.pop(name, None)
        read_environment()


def _check_reachable(address: str) -> None:
    """Raises UserError if no server listens at HOST:PORT. Ray itself would try for long, and print a page."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return  # "auto": Ray knows
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:
        raise UserError(
            f"--address {address}: no Ray cluster answers there ({error.strerror or error}); "
            "start one with `./run_cluster.sh start`, or leave --address out to mine on this machine"
        ) from None


@contextmanager
def marker_in(out: str) -> Iterator[str]:
    """A file in the output folder, by which workers check that they see the folder; removed at the end.

    Yields its path or URI: a bucket, too, may be out of the reach of nodes, for want of credentials or a network.
    Raises UserError for a folder that only this process can see, or that can not be written.
    """
    if out.startswith("memory://"):
        raise UserError(
            f"{out}: memory of this process is not visible to Ray's workers; use --executor local"
        )
    out = out.removeprefix("file://")
    host = socket.gethostname()
    name = f".visible-{host}-{os.getpid()}-{uuid.uuid4().hex}"
    if "://" in out:
        with _object_in(Folder(out), name) as uri:
            yield uri
        return
    marker = Path(out).absolute() / name
    for old in marker.parent.glob(".visible-*"):
        with suppress(OSError):
            if _is_left_behind(old, host):
                old.unlink()
    try:
        marker.touch()
    except OSError as error:
        raise UserError(f"{out}: can not write there: {error.strerror}") from None
    try:
        yield str(marker)
    finally:
        with suppress(OSError):
            marker.unlink()


@contextmanager
def _object_in(folder: Folder, name: str) -> Iterator[str]:
    """A marker in an object store; those of drivers that were killed a day ago are removed."""
    with suppress(OSError, NotImplementedError, TypeError):  # listing is optional, and so are times of change
        for old in folder.filesystem.glob(f"{folder.path}/.visible-*"):
            if time.time() - folder.filesystem.modified(old).timestamp() > DAY:
                folder.remove(old.rpartition("/")[2])
    folder.commit(name, b"lpff_ray")
    try:
        yield f"{folder.root}/{name}"
    finally:
        with suppress(OSError):
            folder.remove(name)


def _is_left_behind(marker: Path, host: str) -> bool:
    """Whether a marker is of a driver that was killed: on this machine, or a day ago."""
    of_this_host, _, rest = marker.name.removeprefix(".visible-").partition(f"{host}-")
    pid = rest.partition("-")[0]
    if not of_this_host and pid.isdigit() and int(pid) != os.getpid():
        try:
            os.kill(int(pid), 0)  # signal 0 only asks
        except ProcessLookupError:
            return True
        except OSError:
            pass  # another user's
        return False
    return time.time() - marker.stat().st_mtime > DAY


class _WithoutRaylet(TextIOBase):
    """Standard output without Ray's own page-long notices of dead workers, which no setting of Ray's turns
    off.

    The pool reports the same in one line, on stderr.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._dropped = False

    def write(self, text: str) -> int:
        if "(raylet)" in text:
            self._dropped = True
        elif not (self._dropped and text == "\n"):
            self._dropped = False
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()
