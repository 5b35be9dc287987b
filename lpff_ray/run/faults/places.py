"""Leases on items whose place may be away: held back, tried again, or found to fail by themselves.

A failure that may be of a place (a host that refuses, an unmounted folder) costs the item nothing yet. Other files of
the place are tried: if none answers, the place is away, its items wait, and it is asked again, less and less often. If
it answers, the failure may have been a short one: the item is tried again a few times, later each time, and after that
the failure is its own.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic

from lpff_ray.errors import Failure, Unavailable
from lpff_ray.run.lease import Item, Lease
from lpff_ray.run.policy import Policy
from lpff_ray.run.workers import Limits
from lpff_ray.storage.places import WITNESSES, identity_of, lies_at, place_of, why_away

log = logging.getLogger(__name__)
FIRST_S, MOST_S = 0.5, 15.0
"""Seconds until a place is asked again, at first and at most: longer each time."""


@dataclass
class _Place(Generic[Item]):
    """A place in doubt. held: leases that failed, and why. waiting: leases that were not begun.

    since: when it was found away, None while that is not known yet. asks: how often it was found so in a row.
    """

    name: str
    held: list[tuple[Lease[Item], Failure]] = field(default_factory=list)
    waiting: list[Lease[Item]] = field(default_factory=list)
    asked: Future[str] | None = None
    ask_at: float = 0.0
    asks: int = 0
    since: float | None = None
    why: str = ""


class Places(Generic[Item]):
    """The places of a job's items that are in doubt. All methods are called in the thread that drives the pool."""

    def __init__(
        self, items: Iterable[Item], policy: Policy[Item], limits: Limits, note: Callable[[str], None]
    ):
        self._policy, self._limits, self._note = policy, limits, note
        self._uris: dict[str, list[str]] = {}
        self._folders: dict[str, tuple[int, int] | None] = {}
        for item in items:
            self._know(policy.uri_of(item))
        self._in_doubt: dict[str, _Place[Item]] = {}
        self._tries: Counter[str] = Counter()
        self._later: list[tuple[float, Lease[Item]]] = []
        self._asking: ThreadPoolExecutor | None = None

    def __len__(self) -> int:
        """Leases that are held back."""
        held = sum(len(place.held) + len(place.waiting) for place in self._in_doubt.values())
        return held + len(self._later)

    def suspect(self, lease: Lease[Item], failure: Failure) -> bool:
        """Hold a lease whose failure may be of `failure.place`, until that is known.

        Returns False, and does nothing, for a folder that was not there when the job began: it did not go away.
        """
        if failure.place.startswith("/") and not self._was_there(failure.place):
            return False
        place = self._in_doubt.setdefault(failure.place, _Place(failure.place))
        place.held.append((lease, failure))
        log.info("%s: may be of %s: %s", self._policy.name_of(lease.item), failure.place, failure.message)
        return True

    def holds(self, lease: Lease[Item]) -> bool:
        """Whether a lease is not to be begun now, since its place is in doubt; it is kept here then."""
        if not self._in_doubt:
            return False
        uri = self._policy.uri_of(lease.item)
        for place in self._in_doubt.values():
            if lies_at(uri, place.name):
                place.waiting.append(lease)
                return True
        return False

    def settle(self, queue: deque[Lease[Item]]) -> list[tuple[Lease[Item], Failure]]:
        """Ask the places that are due; put leases that can be tried again in front of `queue`.

        Returns those that failed by themselves, and why.
        """
        now = time.monotonic()
        blamed: list[tuple[Lease[Item], Failure]] = []
        for place in list(self._in_doubt.values()):
            if place.asked is None and now >= place.ask_at:
                place.asked = self._ask(place)
            elif place.asked is not None and place.asked.done():
                why, place.asked = place.asked.result(), None
                if why:
                    self._is_away(place, why)
                else:
                    blamed += self._is_back(place, queue)
        due = [lease for ready_at, lease in self._later if now >= ready_at]
        self._later = [later for later in self._later if now < later[0]]
        queue.extendleft(reversed(due))
        return blamed

    def stay_away(self) -> Unavailable | None:
        """What ends a job that has nothing else left to do, once its places were away for too long; None before."""
        away = [place for place in self._in_doubt.values() if place.since is not None]
        if not away or self._later or len(away) < len(self._in_doubt):
            return None
        if any(time.monotonic() - (place.since or 0.0) < self._limits.place_s for place in away):
            return None
        names = "; ".join(f"{place.name} ({place.why})" for place in away[:3])
        more = f" and {len(away) - 3} more" if len(away) > 3 else ""
        return Unavailable(
            f"{names}{more} stayed away for {self._limits.place_s:.0f} s; {len(self)} {self._policy.items} are left, "
            "none was given up: run the same command again once it is back"
        )

    def close(self) -> None:
        """Wait for no answer any more."""
        if self._asking is not None:
            self._asking.shutdown(wait=False, cancel_futures=True)

    def _know(self, uri: str) -> None:
        if not uri:
            return
        place = place_of(uri)
        known = self._uris.setdefault(place, [])
        if not known and place.startswith("/"):
            self._folders[place] = identity_of(place)
        if len(known) <= WITNESSES and uri not in known:
            known.append(uri)

    def _was_there(self, folder: str) -> bool:
        below = f"{folder.rstrip('/')}/"
        return any(
            identity is not None and (known == folder or known.startswith(below))
            for known, identity in self._folders.items()
        )

    def _ask(self, place: _Place[Item]) -> Future[str]:
        if self._asking is None:
            self._asking = ThreadPoolExecutor(4, thread_name_prefix="places")
        failed = {self._policy.uri_of(lease.item) for lease, _ in place.held}
        # What did not fail, first: it is the better witness.
        uris = sorted(self._uris.get(place.name, []), key=lambda uri: uri in failed) or sorted(failed)
        return self._asking.submit(why_away, place.name, uris, self._folders.get(place.name))

    def _is_away(self, place: _Place[Item], why: str) -> None:
        now = time.monotonic()
        place.why = why
        if place.since is None:
            place.since = now
            self._note(
                f"{place.name} is away ({why}): waiting for it, {self._limits.place_s:.0f} s at most; "
                f"{self._policy.items} there wait, and none is given up"
            )
        place.ask_at = now + min(MOST_S, FIRST_S * 1.5**place.asks)
        place.asks += 1

    def _is_back(self, place: _Place[Item], queue: deque[Lease[Item]]) -> list[tuple[Lease[Item], Failure]]:
        del self._in_doubt[place.name]
        queue.extendleft(reversed(place.waiting))
        if place.since is not None:
            self._note(f"{place.name} is back after {time.monotonic() - place.since:.0f} s")
            queue.extendleft(reversed([lease for lease, _ in place.held]))
            return []
        blamed = []
        for lease, failure in place.held:
            name = self._policy.name_of(lease.item)
            self._tries[name] += 1
            tries = self._tries[name]
            if tries > self._limits.place_retries:
                blamed.append((lease, failure))
                continue
            if tries == 1:
                self._note(f"{place.name} failed for {name}: {failure.message}; trying it again")
            self._later.append((time.monotonic() + FIRST_S * 2 ** (tries - 1), lease))
        return blamed
