"""The Ray actor that mines: a thin shell around one engine.

An actor is disposable. Nothing is kept in it that a new one could not make again, so the dispatcher may kill
it
at any moment: decoders hang and crash, and take their whole process with them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

import ray

from lpff_ray.config import MineConfig
from lpff_ray.errors import UserError
from lpff_ray.run.lease import Lease, Receipt


class Worker(Protocol):
    """What `lpff_ray.run.engine.Engine` offers: work at one segment, from several threads at once."""

    def run(self, lease: Lease) -> Receipt: ...


class Miner:
    """Holds one engine. `ping`, then `start`, then any number of `run`, `max_concurrency` at a time."""

    def __init__(self, make_engine: Callable[[], Worker]) -> None:
        # Not called here: making an engine loads models, and what is slow or fails must not be mistaken for
        # an actor that Ray has not found a place for yet.
        self._make_engine = make_engine

    def ping(self, marker: str) -> bool:
        """Placed and alive. True if the file `marker` can be seen from here ("" needs no seeing)."""
        return not marker or os.path.exists(marker)

    def start(self) -> UserError | None:
        """Make the engine."""
        try:
            self._engine = self._make_engine()
        except UserError as error:
            return error
        return None

    def run(self, lease: Lease) -> Receipt | UserError:
        """Mine one segment. A UserError (a full disk, say) is handed back as a value: it ends the whole
        run."""
        try:
            return self._engine.run(lease)
        except UserError as error:
            return error


def make_engine(config: MineConfig, out: str, device: str) -> Worker:
    """The engine of a miner, on the GPU that Ray gave it, if any. Raises UserError if it can not be made."""
    from lpff_ray.run.engine import Engine  # not imported above: a driver needs no models

    if device != "cpu" and ray.get_gpu_ids():
        device = "cuda"  # the only one that this process sees, whatever number the user gave
    return Engine(config, out, device)


MinerActor: Any = ray.remote(max_restarts=0, max_task_retries=0)(Miner)
