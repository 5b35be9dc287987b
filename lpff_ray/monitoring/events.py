"""The events of a worker pool, for progress, metrics and logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lpff_ray.errors import Failure


class PoolListener:
    """Gets every event of a worker pool. A subclass implements the methods that it needs.

    lease: a `run.lease.Lease`, one attempt at one item. All methods are called in the thread that drives the pool.
    """

    def completed(self, lease: Any, result: Any) -> None:
        """An item is done; result: what the worker returned."""

    def retried(self, lease: Any, failure: Failure, replacements: Sequence[Any]) -> None:
        """An attempt failed; the leases `replacements` (two: the halves of a segment) replace it."""

    def given_up(self, lease: Any, failure: Failure) -> None:
        """The last attempt at an item failed."""

    def in_flight(self, leases: int) -> None:
        """leases: the number of items that are being worked on now."""

    def note(self, text: str) -> None:
        """A line to show: a worker was lost, a device was taken out of the pool, the pool is stopping."""


class Listeners(PoolListener):
    """Several listeners as one, in their order."""

    def __init__(self, *listeners: PoolListener) -> None:
        self._listeners = list(listeners)

    def add(self, listener: PoolListener) -> None:
        """Send all events from now on to `listener` too."""
        self._listeners.append(listener)

    def completed(self, lease: Any, result: Any) -> None:
        for listener in self._listeners:
            listener.completed(lease, result)

    def retried(self, lease: Any, failure: Failure, replacements: Sequence[Any]) -> None:
        for listener in self._listeners:
            listener.retried(lease, failure, replacements)

    def given_up(self, lease: Any, failure: Failure) -> None:
        for listener in self._listeners:
            listener.given_up(lease, failure)

    def in_flight(self, leases: int) -> None:
        for listener in self._listeners:
            listener.in_flight(leases)

    def note(self, text: str) -> None:
        for listener in self._listeners:
            listener.note(text)
