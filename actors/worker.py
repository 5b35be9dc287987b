"""The Ray actor of a worker pool: it runs one worker of any kind in a process of its own.

An actor holds nothing that a new one could not make again, so the pool may kill it at any moment: decoders can hang or
crash, and their whole process with them.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import ray

from lpff_ray.errors import Failure, UserError
from lpff_ray.monitoring.log import LOGGERS
from lpff_ray.run.faults.memory import bound_memory
from lpff_ray.run.lease import Answer, Lease, MakeWorker, attempt
from lpff_ray.run.threads import single_threaded
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.places import why_away
from lpff_ray.types import Stage

MOST_LINES = 200
"""Log lines that travel with one answer."""


@dataclass(frozen=True)
class Placed:
    """What an actor reports once it runs: why the pool's folder can not be used from here, "" if it can, and where its
    stderr goes."""

    objection: str
    stderr: str


class PoolWorker:
    """Holds one worker. `ping`, then `start`, then any number of `run`, `max_concurrency` at a time."""

    def __init__(self, make_worker: MakeWorker, device: str) -> None:
        """device: as the user named it; the GPU that Ray gave this actor, if any, comes first."""
        # Not made here: loading models is slow or fails, and must not look like an actor that waits for resources.
        self._make_worker, self._device = make_worker, device

    def ping(self, marker: str) -> Placed:
        """Shows that the actor runs. marker: a file or object that must be visible from here, "" for none."""
        faulthandler.enable(all_threads=True)  # a decoder that crashes leaves the Python lines that led to it
        try:
            stderr = os.readlink(f"/proc/self/fd/{sys.__stderr__.fileno()}") if sys.__stderr__ else ""
        except OSError:
            stderr = ""
        return Placed(objection(marker), stderr)

    def start(self, share_mb: float, fixed_mb: float) -> UserError | None:
        """Make the worker. share_mb, fixed_mb: see run.faults.memory.bound_memory."""
        device = self._device
        if device != "cpu" and ray.get_gpu_ids():
            device = "cuda"  # the only one that this process sees, even if the user gave a number
        elif device == "auto":
            device = "cpu"
        try:
            self._worker = self._make_worker(device)
        except UserError as error:
            return error
        self._threads = single_threaded()  # for the rest of the process, which does nothing else
        self._threads.__enter__()
        bound_memory(share_mb, fixed_mb)
        self._lines = _Lines()
        for name in LOGGERS:
            logging.getLogger(name).addHandler(self._lines)
        return None

    def run(self, lease: Lease[Any]) -> Answer:
        """Work on one lease. Exceptions are returned as values, with the lines logged meanwhile."""
        try:
            answer = attempt(self._worker, lease)
        except BaseException as error:  # a panic of a Rust library is no Exception
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            kind, trace = type(error).__name__, traceback.format_exc()
            answer = Answer(failure=Failure(Stage.PROCESS, kind, str(error)[:300], lease.decoder, trace))
        return replace(answer, log=self._lines.taken())

    def why_away(self, place: str, uris: Sequence[str]) -> str:
        """Why a place that files lie at is away, seen from here; see storage.places.why_away."""
        return why_away(place, uris)


def objection(marker: str) -> str:
    """Why the folder of a marker can not be used from this process, "" if it can, or there is no marker."""
    root, _, name = marker.rpartition("/")
    if not marker or os.path.exists(marker):
        return ""
    if "://" not in root:
        return "it is not visible there"
    try:
        folder = Folder(root)
        if folder.read(name) is None:
            return "it is another place there"
        folder.check_writable()
    except UserError as error:
        return str(error)
    return ""


class _Lines(logging.Handler):
    """Keeps warnings and errors until the next answer takes them along."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._held: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._held) < MOST_LINES:
            self._held.append(f"{record.levelname} {record.name}: {record.getMessage()}")

    def taken(self) -> tuple[str, ...]:
        """The lines so far; they are removed."""
        held, self._held = self._held, []
        return tuple(held)


PoolWorkerActor: Any = ray.remote(max_restarts=0, max_task_retries=0)(PoolWorker)
