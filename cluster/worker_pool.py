"""The Ray executor of worker pools, which `lpff_ray.run.executors` loads by the name "ray"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import ray

from cluster.metrics import Metrics
from cluster.placement import placements
from cluster.ray_workers import RayWorkers
from cluster.session import marker_in, session
from lpff_ray.monitoring.events import PoolListener
from lpff_ray.run.lease import MakeWorker
from lpff_ray.run.workers import Limits


class ObjectStoreValues:
    """Values in Ray's object store by number. A worker maps a value into its memory when it reads it."""

    def __init__(self, refs: Sequence[ray.ObjectRef]) -> None:
        self._refs = refs

    def __getitem__(self, number: int) -> Any:
        return ray.get(self._refs[number])


class RayExecutor:
    """Workers as actors of a Ray cluster; connected to while entered. See run.workers.Executor."""

    def __init__(
        self, *, address: str = "", workers: int | None = None, device: str = "auto", out: str = ""
    ) -> None:
        """address: HOST:PORT, "" for $RAY_ADDRESS or else a node of its own. workers: actors, None to fit the cluster.

        device: "cpu" for no GPUs. out: a folder that every worker must see, "" if none.
        """
        self._address, self._count, self._device, self._out = address, workers, device, out
        self._marker = ""
        self._open = ExitStack()

    def __enter__(self) -> RayExecutor:
        """Raises UserError if the cluster can not be reached, or `out` is visible to this process only."""
        with self._open as opening:
            opening.enter_context(session(self._address))
            if self._out:
                self._marker = opening.enter_context(marker_in(self._out))
            self._open = opening.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def share(self, values: Sequence[Any]) -> ObjectStoreValues:
        """Put values into Ray's object store, which writes to disk when it is full."""
        return ObjectStoreValues([ray.put(value) for value in values])

    def listeners(self) -> list[PoolListener]:
        """Counts of mining as Ray metrics."""
        return [Metrics()]

    @contextmanager
    def workers(
        self, make_worker: MakeWorker, limits: Limits, note: Callable[[str], None], worker_name: str
    ) -> Iterator[RayWorkers]:
        """See run.workers.Executor. Raises UserError if the cluster has no room for a worker."""
        yield RayWorkers(
            lambda: placements(ray.nodes(), self._device, self._count),
            make_worker,
            self._device,
            self._marker,
            limits,
            note,
            worker_name,
        )
