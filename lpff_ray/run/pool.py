"""The worker pool: brings every item of a job to its end, Completed or GivenUp, even if workers hang, crash or break.

Items are leased to workers. A decoder can hang while it holds the GIL, crash, or use up the memory, and all else in its
process is lost too. So the worker of an item past its deadline is stopped. What was in flight in a worker that was
stopped or died is tried again alone (`run.faults.suspects`): if it fails there, it is the cause, and goes through the
retry steps of the policy. No fault of an item is a failure of the worker itself (a GPU in an error state, a model that
fails on known-good input): the worker is replaced, and if that recurs, its placement is taken out of the pool; nor a
host, a bucket or a disk that is away: what lies there waits, and a node that alone can not reach it gets no more work
(`run.faults.places`).

Mining, export and the search for neighbours use it; local threads and Ray actors carry it out (`run.workers`).
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from typing import Any, Generic

from lpff_ray.errors import Failure, UserError
from lpff_ray.monitoring.events import PoolListener
from lpff_ray.monitoring.interrupt import Interrupt
from lpff_ray.run.faults.deadlines import Deadlines
from lpff_ray.run.faults.places import Places
from lpff_ray.run.faults.suspects import Suspects
from lpff_ray.run.lease import Answer, Completed, GivenUp, Item, Lease, MakeWorker, WorkerLost
from lpff_ray.run.policy import Policy, PoolReport
from lpff_ray.run.workers import Executor, InFlight, Limits, WorkerHandle, Workers
from lpff_ray.types import Stage

log = logging.getLogger(__name__)
IDLE_S = 0.2
"""How long to wait where nothing is in flight until a place is looked at again."""


class WorkPool:
    """Has items of work done on an executor. report: of the last `map`, up to date while it goes on."""

    def __init__(self, executor: Executor, limits: Limits | None = None) -> None:
        self.executor = executor
        self.limits = limits or Limits()
        self.report = PoolReport()

    def map(
        self,
        items: Iterable[Item],
        make_worker: MakeWorker,
        policy: Policy[Item],
        listener: PoolListener | None = None,
    ) -> Generator[Completed[Item] | GivenUp[Item], None, None]:
        """Yield how each item ended, as they end, in any order.

        make_worker: called where a worker runs, with its device; must be picklable for Ray.

        The first SIGINT or SIGTERM drains: nothing new is begun, what is in flight may finish. The second ends at once.
        Then the iteration ends, with `report.interrupted` and the number of items left in `report.unfinished`.

        Raises UserError if no worker can be started or none is left, and when a worker raised it (a full disk), after
        draining; Unavailable if a place that items lie at stays away.
        """
        self.report = PoolReport()
        job = _Job(items, policy, self.limits, listener or PoolListener(), self.report)
        return job.results(self.executor, make_worker)


class _Job(Generic[Item]):
    """The state of one `map`. queue: leases for any worker; the others wait in `suspects` and `places`."""

    workers: Workers

    def __init__(
        self,
        items: Iterable[Item],
        policy: Policy[Item],
        limits: Limits,
        listener: PoolListener,
        report: PoolReport,
    ) -> None:
        self.queue: deque[Lease[Item]] = deque(Lease(item) for item in items)
        self.places = Places((lease.item for lease in self.queue), policy, limits, listener.note)
        self.suspects = Suspects(policy, limits.most_losses)
        self.free_retries: Counter[str] = Counter()
        self.policy, self.limits, self.listener, self.report = policy, limits, listener, report
        self.deadlines = Deadlines(policy, limits)
        self.fatal: UserError | None = None
        self.ends_at: float | None = None

    def results(
        self, executor: Executor, make_worker: MakeWorker
    ) -> Generator[Completed[Item] | GivenUp[Item], None, None]:
        interrupt = Interrupt()
        with (
            interrupt,
            executor.workers(
                make_worker, self.limits, self.listener.note, self.policy.worker
            ) as self.workers,
        ):
            try:
                while self.has_work(interrupt):
                    if not (interrupt.requested or self.fatal):
                        for lease, failure in self.places.settle(self.queue, self.workers):
                            yield from self.failed(lease, replace(failure, place=""), self.queue)
                        self.workers.start_workers(
                            self.waiting() - len(self.places), len(self.suspects.first)
                        )
                        self.lease_out()
                        if len(self.places) and not self.in_flight():
                            if self.waiting() == len(self.places):
                                self.fatal = self.places.stay_away()
                            time.sleep(IDLE_S)
                    self.listener.in_flight(self.in_flight())
                    for handle, key, answer in self.workers.finished():
                        yield from self.handle_answer(handle, key, answer)
                    yield from self.enforce_deadlines()
            finally:
                self.report.unfinished = self.in_flight() + self.waiting()
                self.report.interrupted = interrupt.requested
                self.workers.close(wait=not interrupt.forced)
                self.places.close()
                self.listener.in_flight(0)
        if self.fatal is not None:
            raise self.fatal

    def has_work(self, interrupt: Interrupt) -> bool:
        if interrupt.forced:
            return False
        if not (interrupt.requested or self.fatal):
            return bool(self.waiting() or self.in_flight())
        if self.ends_at is None:
            grace_s = self.limits.grace_s if self.workers.can_stop else float("inf")
            self.ends_at = time.monotonic() + grace_s
            time_left = f"have {grace_s:.0f} s to finish" if self.workers.can_stop else "will finish"
            if self.in_flight():
                self.listener.note(
                    f"stopping: {self.in_flight()} {self.policy.items} in flight {time_left}; "
                    "Ctrl-C again ends at once and abandons them"
                )
        return self.in_flight() > 0 and time.monotonic() < self.ends_at

    def in_flight(self) -> int:
        return sum(len(handle.in_flight) for handle in self.workers.handles)

    def waiting(self) -> int:
        return len(self.queue) + len(self.suspects) + len(self.places)

    # Leasing

    def lease_out(self) -> None:
        ready = self.workers.ready()
        for handle in ready:
            if not handle.in_flight:
                lease = self.suspects.next(handle.isolated, not self.queue, self.workers.handles)
                handle.isolated = lease is not None
                if lease is not None:
                    self.submit(handle, lease)
        for depth in range(1, max((handle.capacity for handle in ready), default=0) + 1):
            for handle in ready:
                room = not handle.isolated and len(handle.in_flight) < min(depth, handle.capacity)
                if room and (lease := self.next_lease()) is not None:
                    self.submit(handle, lease)

    def next_lease(self) -> Lease[Item] | None:
        """The next lease that may be begun beside others; None if there is none now."""
        while self.queue:
            lease = self.queue.popleft()
            if not (self.suspects.holds(lease) or self.places.holds(lease)):
                return lease
        return None

    def submit(self, handle: WorkerHandle, lease: Lease[Item]) -> None:
        now = time.monotonic()
        late_at = now + self.deadlines.allowed_s(lease, warmed_up=handle.served > 0)
        handle.in_flight[self.workers.submit(handle, lease)] = InFlight(lease, now, late_at)

    def handle_answer(
        self, handle: WorkerHandle, key: Any, answer: Answer | WorkerLost
    ) -> Iterator[Completed[Item] | GivenUp[Item]]:
        if isinstance(answer, WorkerLost):
            self.report.died += 1
            machine_fault = self.workers.stop(handle) or answer.machine_fault
            message = machine_fault or answer.message
            failure = Failure(Stage.PROCESS, "ActorDied", message, traceback=answer.traceback)
            yield from self.lost(handle, failure, machine_fault)
            return
        held = handle.in_flight.pop(key)
        for line in answer.log:
            log.info("%s: %s", handle.name, line)
        if answer.fatal is not None:
            self.fatal = self.fatal or answer.fatal
        elif answer.failure is not None and answer.broken:
            yield from self.broke(handle, held.lease, answer.failure)
        else:
            self.queue.extendleft(self.suspects.ended(held.lease, completed=answer.failure is None))
            if answer.failure is None:
                yield self.completed(handle, held, answer)
            elif not self.places.suspect(held.lease, answer.failure, handle):
                yield from self.failed(held.lease, answer.failure, self.queue)
        most = self.limits.rss_mb or handle.memory_mb or float("inf")
        used_up = handle.served >= self.limits.recycle_after or answer.rss_mb > most
        handle.retiring = handle.retiring or (used_up and self.workers.can_stop)
        if handle.retiring and not handle.in_flight and handle in self.workers.handles:
            self.workers.stop(handle)
            self.report.recycled += not handle.broken

    def completed(self, handle: WorkerHandle, held: InFlight, answer: Answer) -> Completed[Item]:
        self.report.completed += 1
        self.deadlines.took(held.lease, time.monotonic() - held.began)
        handle.served += self.policy.counts(held.lease.item)
        self.listener.completed(held.lease, answer.result)
        return Completed(held.lease, answer.result)

    # Failures

    def enforce_deadlines(self) -> Iterator[GivenUp[Item]]:
        for handle in list(self.workers.handles):
            late = self.deadlines.passed(handle)
            if late and self.workers.can_stop:
                self.report.stopped += 1
                message = f"not done after {time.monotonic() - late[0].began:.0f} s"
                machine_fault = self.workers.stop(handle)
                yield from self.lost(handle, Failure(Stage.PROCESS, "Timeout", message), machine_fault)
            elif late:
                self.deadlines.note_once(late, self.listener.note)

    def lost(self, handle: WorkerHandle, failure: Failure, machine_fault: str) -> Iterator[GivenUp[Item]]:
        """A worker died, or was stopped because of a late lease: find out which of its items is the cause."""
        leases = [held.lease for held in handle.in_flight.values()]
        names = ", ".join(self.policy.name_of(lease.item) for lease in leases)
        who = f"{self.policy.worker} on {handle.name} lost{names and f' while working on {names}'}"
        self.listener.note(f"{who}: {failure.message}")
        log.warning("%s: %s\n%s", who, failure.message, failure.traceback)
        groups = [self.policy.group_of(lease.item) for lease in leases]
        if len(leases) > 1 or (leases and machine_fault and self.may_retry_free(groups[0])):
            self.suspects.suspect(leases)
        elif leases:
            yield from self.lost_by(leases[0], replace(failure, decoder=leases[0].decoder))

    def lost_by(self, lease: Lease[Item], failure: Failure) -> Iterator[GivenUp[Item]]:
        """This lease alone is the cause: its next retry step, or the end of its whole group."""
        self.suspects.blame(lease)
        if not self.suspects.is_lost(lease):
            retries: deque[Lease[Item]] = deque()
            yield from self.failed(lease, failure, retries)
            self.suspects.later.extendleft(reversed(retries))
            return
        message = f"{self.suspects.verdict(lease)} {self.policy.worker}s; the last: {failure.message}"
        self.listener.note(message)
        for one in [lease, *self.suspects.taken_from(lease, self.queue)]:
            yield self.given_up(one, replace(failure, message=message))

    def broke(self, handle: WorkerHandle, lease: Lease[Item], failure: Failure) -> Iterator[GivenUp[Item]]:
        """The worker itself failed. Its leases go to others; one that meets only broken workers is given up."""
        who = f"{self.policy.worker} on {handle.name} is broken"
        log.warning("%s: %s\n%s", who, failure.message, failure.traceback)
        if self.may_retry_free(self.policy.name_of(lease.item)):
            self.queue.appendleft(lease)
        else:
            yield from self.failed(lease, failure, self.queue)
        if handle.broken:
            return  # it is being replaced already, and only finishes what it holds
        handle.broken = handle.retiring = True
        self.report.broken += 1
        self.listener.note(f"{who}, not what it worked on: {failure.message}")
        if self.workers.can_stop:
            self.queue.extendleft(held.lease for held in handle.in_flight.values())
            handle.in_flight.clear()
        self.workers.replace_broken(handle, failure.message)

    def failed(
        self, lease: Lease[Item], failure: Failure, retries: deque[Lease[Item]]
    ) -> Iterator[GivenUp[Item]]:
        """The item is the cause: its next retry step joins `retries`, or it is given up."""
        cause = lease.cause or replace(failure, traceback="")
        leases = [] if self.suspects.is_lost(lease) else self.policy.retry(lease, failure)
        leases = [replace(retry, cause=cause) for retry in leases]
        name = self.policy.name_of(lease.item)
        log.info("%s, attempt %d: %s: %s", name, lease.attempt, failure.kind, failure.message)
        if leases:
            self.report.retries += 1
            self.listener.retried(lease, failure, leases)
            retries.extend(leases)
        else:
            yield self.given_up(lease, failure, lease.cause)

    def given_up(self, lease: Lease[Item], failure: Failure, cause: Failure | None = None) -> GivenUp[Item]:
        """failure: the last one. cause: the first one, if it is the reason to tell."""
        self.report.given_up += 1
        self.listener.given_up(lease, failure)
        return GivenUp(lease, cause or failure)

    def may_retry_free(self, name: str) -> bool:
        """Whether an item, or a group, may be tried again at no cost, since the machine was the cause."""
        self.free_retries[name] += 1
        return self.free_retries[name] <= self.limits.free_retries
