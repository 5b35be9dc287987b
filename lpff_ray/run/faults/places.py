"""Leases on items whose place may be away: held back, tried again, or found to fail by themselves.

A failure that may be of a place (a host that refuses, an unmounted folder) costs the item nothing yet. Other files of
the place are tried: if none answers, the place is away, its items wait, and it is asked again, less and less often. If
it answers, the worker that failed is asked the same: one that can not read any file there, while this process can, has
no credentials, no network or no mount, and its node gets no more work. If it can, the failure may have been a short
one: the item is tried again a few times, later each time, and after that the failure is its own.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Container, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic

from lpff_ray.errors import Failure, Unavailable
from lpff_ray.run.lease import Item, Lease
from lpff_ray.run.policy import Policy
from lpff_ray.run.workers import Limits, WorkerHandle, Workers
from lpff_ray.storage.places import WITNESSES, identity_of, lies_at, place_of, why_away

log = logging.getLogger(__name__)
FIRST_S, MOST_S = 0.5, 15.0
"""Seconds until a place is asked again, at first and at most: longer each time."""
ASKS_OF_WORKER = 3
"""How often in a row a worker has to say that it can not reach a place which this process can."""


@dataclass(frozen=True)
class _Verdict:
    """away: why a place is away for this process, "" if it is not. cut_off: the workers that can not reach it, and
    why."""

    away: str = ""
    cut_off: dict[WorkerHandle, str] = field(default_factory=dict)


@dataclass
class _Place(Generic[Item]):
    """A place in doubt. held: leases that failed, why, and in which worker. waiting: leases that were not begun.

    since: when it was found away, None while that is not known yet. asks, asks_of_worker: how often in a row it was
    found away, and out of the reach of workers alone.
    """

    name: str
    held: list[tuple[Lease[Item], Failure, WorkerHandle]] = field(default_factory=list)
    waiting: list[Lease[Item]] = field(default_factory=list)
    asked: Future[_Verdict] | None = None
    ask_at: float = 0.0
    asks: int = 0
    asks_of_worker: int = 0
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

    def suspect(self, lease: Lease[Item], failure: Failure, handle: WorkerHandle) -> bool:
        """Hold a lease whose failure, in the worker `handle`, may be of `failure.place`, until that is known.

        Returns False, and does nothing, if there is no such place, or it is a folder that was not there when the job
        began: it did not go away.
        """
        if not failure.place or (failure.place.startswith("/") and not self._was_there(failure.place)):
            return False
        place = self._in_doubt.setdefault(failure.place, _Place(failure.place))
        place.held.append((lease, failure, handle))
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

    def settle(self, queue: deque[Lease[Item]], workers: Workers) -> list[tuple[Lease[Item], Failure]]:
        """Ask the places that are due; put leases that can be tried again in front of `queue`.

        Returns those that failed by themselves, and why. Raises UserError if no worker can reach a place.
        """
        now = time.monotonic()
        blamed: list[tuple[Lease[Item], Failure]] = []
        for place in list(self._in_doubt.values()):
            if place.asked is None and now >= place.ask_at:
                place.asked = self._ask(place, workers)
            elif place.asked is not None and place.asked.done():
                verdict, place.asked = place.asked.result(), None
                if verdict.away:
                    self._is_away(place, verdict.away)
                elif verdict.cut_off and place.asks_of_worker + 1 < ASKS_OF_WORKER:
                    place.asks_of_worker += 1
                    place.ask_at = now + FIRST_S
                else:
                    blamed += self._is_back(place, queue, verdict.cut_off)
                    for handle, why in verdict.cut_off.items():
                        workers.exclude(
                            handle, f"it can not reach {place.name} ({why}), which this process can"
                        )
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

    def _ask(self, place: _Place[Item], workers: Workers) -> Future[_Verdict]:
        if self._asking is None:
            self._asking = ThreadPoolExecutor(4, thread_name_prefix="places")
        failed = {self._policy.uri_of(lease.item) for lease, *_ in place.held}
        # What did not fail, first: it is the better witness.
        uris = sorted(self._uris.get(place.name, []), key=lambda uri: uri in failed) or sorted(failed)
        handles = {handle for *_, handle in place.held}
        known = self._folders.get(place.name)

        def verdict() -> _Verdict:
            if away := why_away(place.name, uris, known):
                return _Verdict(away)
            answers = {handle: workers.why_away(handle, place.name, uris) for handle in handles}
            return _Verdict("", {handle: why for handle, why in answers.items() if why})

        return self._asking.submit(verdict)

    def _is_away(self, place: _Place[Item], why: str) -> None:
        place.why = why
        if place.since is None:
            place.since = time.monotonic()
            self._note(
                f"{place.name} is away ({why}): waiting for it, {self._limits.place_s:.0f} s at most; "
                f"{self._policy.items} there wait, and none is given up"
            )
        place.asks_of_worker = 0
        place.ask_at = time.monotonic() + min(MOST_S, FIRST_S * 1.5**place.asks)
        place.asks += 1

    def _is_back(
        self, place: _Place[Item], queue: deque[Lease[Item]], cut_off: Container[WorkerHandle]
    ) -> list[tuple[Lease[Item], Failure]]:
        del self._in_doubt[place.name]
        queue.extendleft(reversed(place.waiting))
        if place.since is not None:
            self._note(f"{place.name} is back after {time.monotonic() - place.since:.0f} s")
            queue.extendleft(reversed([lease for lease, *_ in place.held]))
            return []
        blamed = []
        for lease, failure, handle in place.held:
            if handle in cut_off:
                queue.appendleft(lease)
                continue
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
