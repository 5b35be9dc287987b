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

    worker, items: names of a worker and of several items in messages. name_of: an item's id.
    retry: the leases that replace one that failed: one, two (halves), or none if the item is given up.
    group_of: what an item shares with others that fail as it does: its video.
    seconds_of: seconds of video in an item. extra_s: additional seconds until its deadline.
    uri_of: where the item's file lies; "" for items that need none.
    counts: whether the item counts towards recycling its worker (Limits.recycle_after).
    """

    worker: str
    items: str
    name_of: Callable[[Item], str]
    retry: Callable[[Lease[Item], Failure], list[Lease[Item]]]
    group_of: Callable[[Item], str]
    seconds_of: Callable[[Item], float] = lambda item: 0.0
    extra_s: Callable[[Item], float] = lambda item: 0.0
    counts: Callable[[Item], bool] = lambda item: True
    uri_of: Callable[[Item], str] = lambda item: ""


@dataclass
class PoolReport:
    """Counts of what a pool did.

    completed, given_up: items. retries: repeated attempts. unfinished: items left when it was interrupted. stopped,
    died, recycled, broken: workers that were stopped past a deadline, died, were replaced in time, or were broken.
    """

    completed: int = 0
    given_up: int = 0
    retries: int = 0
    unfinished: int = 0
    interrupted: bool = False
    stopped: int = 0
    died: int = 0
    recycled: int = 0
    broken: int = 0
