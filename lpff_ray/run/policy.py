"""What a job tells the worker pool about its items, and what the pool tells the job about its work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from lpff_ray.errors import Failure
from lpff_ray.run.lease import Item, Lease


@dataclass(frozen=True)
class Policy(Generic[Item]):
    """How the pool treats the items of a job.

    worker, items: what to call a worker and several items in messages. name_of: an item's id.
    retry: the leases that take the place of one that failed: one, two (halves), or none: the item is given up.
    seconds_of: seconds of video in an item. extra_s: seconds that it may take besides.
    counts: whether the item wears its worker out (Limits.recycle_after).
    """

    worker: str
    items: str
    name_of: Callable[[Item], str]
    retry: Callable[[Lease[Item], Failure], list[Lease[Item]]]
    seconds_of: Callable[[Item], float] = lambda item: 0.0
    extra_s: Callable[[Item], float] = lambda item: 0.0
    counts: Callable[[Item], bool] = lambda item: True


@dataclass
class PoolReport:
    """What a pool did: items completed and given up, attempts repeated, items left when it was interrupted; workers
    stopped past a deadline, died, recycled in time, and replaced because they were broken."""

    completed: int = 0
    given_up: int = 0
    retries: int = 0
    unfinished: int = 0
    interrupted: bool = False
    stopped: int = 0
    died: int = 0
    recycled: int = 0
    broken: int = 0
