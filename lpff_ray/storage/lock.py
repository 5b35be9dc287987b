"""A lock on a part of a folder: what one process at a time may do there."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lpff_ray.errors import UserError
from lpff_ray.storage.failures import explain
from lpff_ray.storage.folder import Folder

log = logging.getLogger(__name__)
BEAT_S, STALE_S, SETTLE_S = 10.0, 60.0, 1.0
"""Where the system knows no locks, a holder renews its mark every BEAT_S; one that is STALE_S old is of a process that
was killed, and is taken over. Of two that mark at once the later one counts, which is known SETTLE_S afterwards."""


@contextmanager
def locked(folder: Folder, name: str, busy: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock `name` (a file below the folder) for as long as the context lasts.

    busy: what to say if another process holds it. wait_s: how long to wait for that one first.

    On a local disk it is an advisory lock, which the kernel lets go of with the process, however that ends; the file
    stays, empty: were it removed, one process could lock a new file while another holds the old. On object stores, and
    on disks that know no locks, it is a mark with a heartbeat. Raises UserError if another process holds it, or the
    file can not be made.
    """
    until = time.monotonic() + wait_s
    with ExitStack() as held:
        while not _acquire(folder, name, held):
            if time.monotonic() >= until:
                raise UserError(f"{folder.root}: {busy}")
            time.sleep(0.05)
        yield


def _acquire(folder: Folder, name: str, held: ExitStack) -> bool:
    if not folder.is_local:
        return _mark(folder, name, held)
    path = Path(folder.path, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        open(path, "ab").close()  # so that what the lock raises below is about locking
    except OSError as error:
        raise UserError(f"{path}: can not be written: {explain(error, folder.root)}") from None
    try:
        # Without flock, filelock would fall back on a file that outlives a killed process.
        held.enter_context(FileLock(path, timeout=0, fallback_to_soft=False))
    except Timeout:
        return False
    except OSError:  # such as a network disk that is mounted without locks
        return _mark(folder, name, held)
    return True


def _mark(folder: Folder, name: str, held: ExitStack) -> bool:
    """Hold a lock by a mark that is renewed; False if another one's is fresh."""
    found = _holder(folder, name)
    if found and time.time() - found[1] < STALE_S:
        return False
    if found:
        log.warning("%s/%s: was held by a process that is gone; taken over", folder.root, name)
    owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"

    def beat() -> None:
        folder.commit(name, json.dumps({"owner": owner, "beat": time.time()}).encode())

    beat()
    time.sleep(SETTLE_S)
    if (_holder(folder, name) or ("", 0.0))[0] != owner:
        return False
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(BEAT_S):
            try:
                beat()
            except UserError as error:  # the work itself meets the same, and says so
                log.warning("a lock could not be renewed: %s", error)

    thread = threading.Thread(target=keep, name="lock", daemon=True)
    thread.start()

    def let_go() -> None:
        ended.set()
        thread.join()
        if (_holder(folder, name) or ("", 0.0))[0] == owner:
            folder.commit(name, b"")

    held.callback(let_go)
    return True


def _holder(folder: Folder, name: str) -> tuple[str, float] | None:
    """Who marked a lock, and when last; None if nobody holds it."""
    try:
        found = json.loads(folder.read(name) or b"")
        return str(found["owner"]), float(found["beat"])
    except (ValueError, KeyError, TypeError):
        return None
