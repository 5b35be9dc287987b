"""Items that a worker may have been lost by: each is tried alone, and so are those of the same group (one video).

Several items were in flight when a worker was lost: any may be the cause, so each is tried again in a worker that holds
nothing else; meanwhile the rest of their groups waits. An item that loses a worker alone is the cause. From then on
everything of its group is tried alone, one at a time until one succeeds, and with the decoder that succeeded. A group
that goes on losing workers is given up as a whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Generic

from lpff_ray.run.lease import Item, Lease
from lpff_ray.run.policy import Policy
from lpff_ray.run.workers import WorkerHandle


@dataclass
class _Group(Generic[Item]):
    """losses: workers lost by one of its items alone. completed: items, since the first loss. decoder: that succeeded
    where another had lost a worker. doubted: names of the items whose guilt is not known. held: not begun meanwhile.
    """

    losses: int = 0
    completed: int = 0
    decoder: str = ""
    doubted: set[str] = field(default_factory=set)
    held: list[Lease[Item]] = field(default_factory=list)


class Suspects(Generic[Item]):
    """The leases of a job that are tried alone.

    first: those of workers lost with several, tried soon. later: of groups that lost a worker by one item; they are
    tried when nothing else waits, so that good items do not wait for bad ones.
    """

    def __init__(self, policy: Policy[Item], most_losses: int) -> None:
        """most_losses: of a group of which nothing succeeds, until it is given up; twice as many of any other."""
        self.first: deque[Lease[Item]] = deque()
        self.later: deque[Lease[Item]] = deque()
        self._policy, self._most = policy, most_losses
        self._groups: dict[str, _Group[Item]] = {}

    def __len__(self) -> int:
        return len(self.first) + len(self.later) + sum(len(group.held) for group in self._groups.values())

    def suspect(self, leases: Iterable[Lease[Item]]) -> None:
        """A worker was lost that held these: try each alone."""
        for lease in leases:
            self.first.append(lease)
            self._group(lease).doubted.add(self._policy.name_of(lease.item))

    def holds(self, lease: Lease[Item]) -> bool:
        """Whether a lease must not be begun beside others; it is kept here then."""
        group = self._groups.get(self._policy.group_of(lease.item))
        if group is None:
            return False
        if group.losses:
            self.later.append(lease)
        elif self._policy.name_of(lease.item) in group.doubted:
            self.first.append(lease)
        elif group.doubted:
            group.held.append(lease)
        else:
            return False
        return True

    def next(self, soon: bool, idle: bool, handles: Iterable[WorkerHandle]) -> Lease[Item] | None:
        """The next lease to be tried alone, None if there is none now.

        soon: whether the turn is one of `first`; idle: whether nothing else waits. handles: of all workers; of
        a group of which nothing has succeeded, only one is tried at a time.
        """
        in_flight = {
            self._policy.group_of(held.lease.item) for handle in handles for held in handle.in_flight.values()
        }
        for leases, allowed in ((self.first, soon or idle), (self.later, idle)):
            for number, lease in enumerate(leases if allowed else ()):
                name = self._policy.group_of(lease.item)
                group = self._group(lease)
                if name in in_flight and not group.completed:
                    continue
                del leases[number]
                if group.decoder and lease.attempt == 1:
                    return replace(lease, decoder=group.decoder)
                return lease
        return None

    def blame(self, lease: Lease[Item]) -> None:
        """A worker was lost by this lease alone."""
        group, name = self._group(lease), self._policy.group_of(lease.item)
        group.losses += 1
        # Before its siblings: whether another decoder reads it tells what is to become of them.
        self.later.extend(other for other in self.first if self._policy.group_of(other.item) == name)
        self.later.extend(group.held)
        self.first = deque(other for other in self.first if self._policy.group_of(other.item) != name)
        group.held.clear()
        group.doubted.clear()

    def is_lost(self, lease: Lease[Item]) -> bool:
        """Whether the group of a lease is given up."""
        group = self._groups.get(self._policy.group_of(lease.item))
        return group is not None and group.losses >= (2 if group.completed else 1) * self._most

    def verdict(self, lease: Lease[Item]) -> str:
        """The beginning of the reason why a group is given up."""
        name = self._policy.group_of(lease.item)
        return f"{name} is given up: it alone cost {self._group(lease).losses}"

    def ended(self, lease: Lease[Item], completed: bool) -> list[Lease[Item]]:
        """An attempt ended without the loss of its worker. Returns the leases that may now be begun beside others."""
        group = self._groups.get(self._policy.group_of(lease.item))
        if group is None:
            return []
        group.doubted.discard(self._policy.name_of(lease.item))
        if completed and group.losses:
            group.completed += 1
            group.decoder = group.decoder or (lease.decoder if lease.attempt > 1 else "")
        if group.doubted:
            return []
        free, group.held = group.held, []
        return free

    def taken_from(self, lease: Lease[Item], *others: deque[Lease[Item]]) -> list[Lease[Item]]:
        """All leases of the group of `lease` that wait, here and in `others`; they are removed there."""
        name = self._policy.group_of(lease.item)
        found: list[Lease[Item]] = []
        for leases in (self.first, self.later, *others):
            waiting = list(leases)
            leases.clear()
            for other in waiting:
                (found if self._policy.group_of(other.item) == name else leases).append(other)
        found += self._group(lease).held
        self._group(lease).held = []
        return found

    def _group(self, lease: Lease[Item]) -> _Group[Item]:
        return self._groups.setdefault(self._policy.group_of(lease.item), _Group())
