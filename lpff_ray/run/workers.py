"""The interface of executors, which run the workers of a pool, and the pool's time limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from lpff_ray.monitoring.events import PoolListener
from lpff_ray.run.lease import Answer, Lease, MakeWorker, WorkerLost


@dataclass(frozen=True)
class Limits:
    """Time limits and how often to try again. In seconds, if no other unit is given.

    base_s, per_second: a lease may take base_s + per_second for every second of video in its item; once slower items
        have been completed, five times as long as the slowest of them.
    warm_up_s: additional, for the first leases of a worker.
    start_s: for a placed worker to load its models; for a cluster that lost all its nodes to come back.
    grace_s: for leases in flight to finish, once the job is to end early, where workers can be stopped.
    nodes_s: how often to check for nodes that joined.
    recycle_after: items after which a worker is replaced, of those that count (see Policy.counts): decoders leak.
    rss_mb: resident memory, in MiB, above which a worker is replaced; 0: its share of the node's memory.
    most_mb: resident memory, in MiB, at which a worker's process ends itself; 0: its share of the node's memory.
    starts: failed starts on one placement, or of the first worker of all, before giving up.
    most_losses: workers that one group of items (a video) may cost while nothing of it succeeds, until it is given up.
    free_retries: how often an item is tried again at no cost after its worker was lost or broken, and the item was not
        the cause.
    breakdowns: broken workers on one placement until it is taken out of the pool.
    place_s: how long a place (host, bucket, disk) that is away is waited for, once nothing else is left to do.
    place_retries: how often an item is tried again at no cost after a failure that may have been its place's.
    """

    base_s: float = 60.0
    per_second: float = 20.0
    warm_up_s: float = 60.0
    start_s: float = 300.0
    grace_s: float = 120.0
    nodes_s: float = 30.0
    recycle_after: int = 200
    rss_mb: float = 0.0
    most_mb: float = 0.0
    starts: int = 3
    most_losses: int = 4
    free_retries: int = 3
    breakdowns: int = 2
    place_s: float = 600.0
    place_retries: int = 4


@dataclass(frozen=True)
class InFlight:
    """A lease that a worker holds; times of time.monotonic()."""

    lease: Lease[Any]
    began: float
    deadline: float


@dataclass(eq=False)
class WorkerHandle:
    """One worker, as the pool sees it.

    name: where it runs, for messages. capacity: leases at once. memory_mb: resident memory that it may take; 0 if any.
    isolated: works on one lease at a time, so that its death can be blamed on that lease. retiring: gets no more
    leases. broken: was found to fail by itself, and is replaced. served: leases so far, of those that count.
    """

    name: str
    capacity: int
    memory_mb: float = 0.0
    isolated: bool = False
    retiring: bool = False
    broken: bool = False
    served: int = 0
    in_flight: dict[Any, InFlight] = field(default_factory=dict)


class Workers(Protocol):
    """The workers of one job on one executor. Only `finished` waits.

    can_stop: whether a worker can be ended while it works (a process can, a thread can not).
    """

    handles: list[Any]
    can_stop: bool

    def start_workers(self, wanted: int, isolated: int) -> None:
        """Start workers where there is room: at most `wanted`, `isolated` of them to work on one lease at a time.

        Raises UserError when none can be started any more.
        """

    def ready(self) -> list[Any]:
        """The handles that may be given leases."""

    def submit(self, handle: Any, lease: Lease[Any]) -> Any:
        """Give a worker a lease; returns the key that `finished` will name it by."""

    def finished(self) -> Iterator[tuple[Any, Any, Answer | WorkerLost]]:
        """Leases that ended: handle, what `submit` returned, and the answer. Waits a second at most.

        Raises UserError when no worker can work: models are missing, the output is not visible, nothing starts.
        """

    def stop(self, handle: Any) -> str:
        """End a worker, at once where `can_stop`. Returns why the machine is the cause, "" if it is not."""

    def replace_broken(self, handle: Any, why: str) -> None:
        """A worker is broken: replace it, or take its placement out of the pool if that recurs.

        Raises UserError if nothing is left.
        """

    def why_away(self, handle: Any, place: str, uris: Sequence[str]) -> str:
        """As storage.places.why_away, seen from where a worker runs; "" where that is this process, or unknown.

        Called in any thread, and waits for the answer.
        """

    def exclude(self, handle: Any, why: str) -> None:
        """Give no more work to a worker, and to others on its node: what they hold may finish.

        Raises UserError if nothing is left.
        """

    def close(self, wait: bool) -> None:
        """End them all. wait: let threads finish their leases."""


Value_co = TypeVar("Value_co", covariant=True)


class Shared(Protocol[Value_co]):
    """Values that all workers of an executor read by number, each of which crosses to a cluster once. Picklable."""

    def __getitem__(self, number: int) -> Value_co: ...


class Executor(Protocol):
    """Runs workers: in this process, or on a Ray cluster. A context manager."""

    def __enter__(self) -> Executor: ...

    def __exit__(self, *error: object) -> None: ...

    def share(self, values: Sequence[Any]) -> Shared[Any]:
        """Make values readable by every worker."""
        ...

    def listeners(self) -> list[PoolListener]:
        """Additional listeners of a mining run, such as Ray's metrics."""
        ...

    def workers(
        self, make_worker: MakeWorker, limits: Limits, note: Callable[[str], None], worker_name: str
    ) -> AbstractContextManager[Workers]:
        """Workers for one job, ended with the context.

        worker_name: of one, in messages ("miner"). note: shows a line to the user. Raises UserError if there is no room
        for a worker.
        """
        ...
