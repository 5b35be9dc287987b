"""What happens while a pool works, for whoever shows, counts or records it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lpff_ray.errors import Failure


class PoolListener:
    """Hears of everything that a worker pool does. Every method may be left out.

    lease: a `run.lease.Lease`, one attempt at one item. All methods are called in the thread that drives the pool.
    """

    def completed(self, lease: Any, result: Any) -> None:
        """An item is done; result: what the worker returned."""

    def retried(self, lease: Any, failure: Failure, replacements: Sequence[Any]) -> None:
        """An attempt failed; the leases `replacements` (two: the halves of a segment) take its place."""

    def given_up(self, lease: Any, failure: Failure) -> None:
        """The last attempt at an item failed."""

    def in_flight(self, leases: int) -> None:
        """So many items are being worked on now."""

    def note(self, text: str) -> None:
        """Something worth a line of its own: a worker was lost, a device is out of use, the pool is stopping."""


class Listeners(PoolListener):
    """Several listeners as one, in their order."""

    def __init__(self, *listeners: PoolListener) -> None:
        self._listeners = list(listeners)

    def add(self, listener: PoolListener) -> None:
        """Also tell `listener` of everything from now on."""
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
