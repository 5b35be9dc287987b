"""The executors by name: local threads or a Ray cluster. Only this module of lpff_ray knows that there is a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lpff_ray.errors import UserError
from lpff_ray.registry import Registry
from lpff_ray.run.pool import WorkPool
from lpff_ray.run.workers import Limits

AUTO, LOCAL, RAY = "auto", "local", "ray"
EXECUTORS: Registry[Any] = Registry(
    "executor",
    "lpff_ray.executors",
    {LOCAL: "lpff_ray.run.local:LocalExecutor", RAY: "cluster.worker_pool:RayExecutor"},
)


def chosen_executor(executor: str = AUTO, address: str = "") -> str:
    """The name of the executor: "auto" is Ray inside a Ray job, or with an address; else this process.

    Raises UserError for an unknown name, and for an address beside "local".
    """
    if executor == LOCAL and address:
        raise UserError("--address goes with --executor ray; leave one of the two out")
    if executor != AUTO:
        if executor not in EXECUTORS:
            raise UserError(f"executor {executor!r}: there are auto, {', '.join(EXECUTORS.names())}")
        return executor
    return RAY if address or os.environ.get("RAY_ADDRESS") else LOCAL


@contextmanager
def work_pool(
    executor: str = AUTO,
    *,
    address: str = "",
    workers: int | None = None,
    device: str = "auto",
    out: str = "",
    limits: Limits | None = None,
) -> Iterator[WorkPool]:
    """A pool on the executor, which is connected to while the context lasts.

    address: of a Ray cluster; "" for $RAY_ADDRESS, else a node of its own. workers: threads (local) or actors (Ray),
    None to fit the machine or cluster. device: "auto", "cpu", "cuda" or "cuda:N". out: the folder that every worker
    must be able to write to, "" if none.

    Raises UserError if the cluster can not be reached, or `out` is visible to this process only.
    """
    kind = EXECUTORS.load(chosen_executor(executor, address))
    with kind(address=address, workers=workers, device=device, out=out) as opened:
        yield WorkPool(opened, limits)
