"""How long a lease may take: longer for longer videos, and for all once slower ones were completed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic

from lpff_ray.run.lease import Item, Lease
from lpff_ray.run.policy import Policy
from lpff_ray.run.workers import InFlight, Limits, WorkerHandle

SHORTEST_S = 10.0
"""Shorter items count as so long when the time that an item took sets the deadlines of the others."""


class Deadlines(Generic[Item]):
    """See run.workers.Limits for what the times are."""

    def __init__(self, policy: Policy[Item], limits: Limits) -> None:
        self._policy, self._limits = policy, limits
        self._pace = limits.per_second
        self._noted: set[tuple[str, int]] = set()

    def allowed_s(self, lease: Lease[Item], warmed_up: bool) -> float:
        """Seconds that a lease may take; warmed_up: whether its worker has completed one before."""
        allowed = self._limits.base_s + self._pace * self._policy.seconds_of(lease.item)
        allowed += self._policy.extra_s(lease.item)
        return allowed + (0.0 if warmed_up else self._limits.warm_up_s)

    def took(self, lease: Lease[Item], seconds: float) -> None:
        """A lease was completed in so many seconds."""
        self._pace = max(self._pace, 5 * seconds / max(SHORTEST_S, self._policy.seconds_of(lease.item)))

    def passed(self, handle: WorkerHandle) -> list[InFlight]:
        """What a worker holds that is past its deadline."""
        now = time.monotonic()
        return [held for held in handle.in_flight.values() if now > held.deadline]

    def note_once(self, late: list[InFlight], note: Callable[[str], None]) -> None:
        """Say, once for each, what is late in a worker that can not be stopped."""
        for held in late:
            name, attempt = self._policy.name_of(held.lease.item), held.lease.attempt
            if (name, attempt) not in self._noted:
                self._noted.add((name, attempt))
                note(
                    f"{name} is not done after {time.monotonic() - held.began:.0f} s; a decoder that hangs can not be "
                    "stopped in this process: --executor ray can"
                )
