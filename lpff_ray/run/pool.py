"""The worker pool: brings every item of a job to its end, Completed or GivenUp, even if workers hang, crash or break.

Items are leased to workers. A decoder can hang while it holds the GIL, crash, or use up the memory, and then everything
else in its process is lost too. So the worker of an item past its deadline is stopped. The items in flight in a worker
that was stopped or died are *suspects*: each is tried again in isolation, in a worker that holds nothing else. If it
succeeds there, that attempt costs it nothing; if it fails, it is the cause, and goes through the retry steps of the
policy. A failure of the worker itself (a GPU in an error state, a model that fails on known-good input) is no fault of
an item: the worker is replaced, and if that recurs, its placement is taken out of the pool.

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
from lpff_ray.run.lease import Answer, Completed, GivenUp, Item, Lease, MakeWorker, WorkerLost
from lpff_ray.run.policy import Policy, PoolReport
from lpff_ray.run.workers import Executor, InFlight, Limits, WorkerHandle, Workers
from lpff_ray.types import Stage

log = logging.getLogger(__name__)
SHORTEST_S = 10.0
"""Shorter items count as so long when the time that an item took sets the deadlines of the others."""


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
        draining.
        """
        self.report = PoolReport()
        job = _Job(items, policy, self.limits, listener or PoolListener(), self.report)
        return job.results(self.executor, make_worker)


class _Job(Generic[Item]):
    """The state of one `map`.

    queue: leases for any worker. suspects: to be tried in isolation, soon. isolated_retries: of what stopped or killed
    a worker, tried in isolation when the queue is empty, so that good items do not wait for bad ones.
    """

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
        self.suspects: deque[Lease[Item]] = deque()
        self.isolated_retries: deque[Lease[Item]] = deque()
        self.free_retries: Counter[str] = Counter()
        self.policy, self.limits, self.listener, self.report = policy, limits, listener, report
        self.pace = limits.per_second
        self.fatal: UserError | None = None
        self.ends_at: float | None = None
        self.late: set[Any] = set()

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
                        self.workers.start_workers(self.waiting(), len(self.suspects))
                        self.lease_out()
                    self.listener.in_flight(self.in_flight())
                    for handle, key, answer in self.workers.finished():
                        yield from self.handle_answer(handle, key, answer)
                    yield from self.enforce_deadlines()
            finally:
                self.report.unfinished = self.in_flight() + self.waiting()
                self.report.interrupted = interrupt.requested
                self.workers.close(wait=not interrupt.forced)
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
        return len(self.queue) + len(self.suspects) + len(self.isolated_retries)

    # Leasing

    def lease_out(self) -> None:
        ready = self.workers.ready()
        for handle in ready:
            if not handle.in_flight:
                lease = self.next_isolated(handle)
                handle.isolated = lease is not None
                if lease is not None:
                    self.submit(handle, lease)
        for depth in range(1, max((handle.capacity for handle in ready), default=0) + 1):
            for handle in ready:
                room = not handle.isolated and len(handle.in_flight) < min(depth, handle.capacity)
                if self.queue and room:
                    self.submit(handle, self.queue.popleft())

    def next_isolated(self, handle: WorkerHandle) -> Lease[Item] | None:
        """The next lease that an idle worker is to try in isolation, None if there is none now."""
        if self.suspects and (handle.isolated or not self.queue):
            return self.suspects.popleft()
        return self.isolated_retries.popleft() if self.isolated_retries and not self.queue else None

    def submit(self, handle: WorkerHandle, lease: Lease[Item]) -> None:
        now = time.monotonic()
        allowed = self.limits.base_s + self.pace * self.policy.seconds_of(lease.item)
        allowed += self.policy.extra_s(lease.item)
        if handle.served == 0:
            allowed += self.limits.warm_up_s
        handle.in_flight[self.workers.submit(handle, lease)] = InFlight(lease, now, now + allowed)

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
        elif answer.failure is not None:
            yield from self.failed(held.lease, answer.failure, self.queue)
        else:
            yield self.completed(handle, held, answer)
        most = self.limits.rss_mb or handle.memory_mb or float("inf")
        used_up = handle.served >= self.limits.recycle_after or answer.rss_mb > most
        handle.retiring = handle.retiring or (used_up and self.workers.can_stop)
        if handle.retiring and not handle.in_flight and handle in self.workers.handles:
            self.workers.stop(handle)
            self.report.recycled += not handle.broken

    def completed(self, handle: WorkerHandle, held: InFlight, answer: Answer) -> Completed[Item]:
        self.report.completed += 1
        spent = time.monotonic() - held.began
        self.pace = max(self.pace, 5 * spent / max(SHORTEST_S, self.policy.seconds_of(held.lease.item)))
        handle.served += self.policy.counts(held.lease.item)
        self.listener.completed(held.lease, answer.result)
        return Completed(held.lease, answer.result)

    # Failures

    def enforce_deadlines(self) -> Iterator[GivenUp[Item]]:
        now = time.monotonic()
        for handle in list(self.workers.handles):
            late = [(key, held) for key, held in handle.in_flight.items() if now > held.deadline]
            if late and self.workers.can_stop:
                self.report.stopped += 1
                message = f"not done after {now - late[0][1].began:.0f} s"
                machine_fault = self.workers.stop(handle)
                yield from self.lost(handle, Failure(Stage.PROCESS, "Timeout", message), machine_fault)
                continue
            for key, held in late:
                if key not in self.late:
                    self.late.add(key)
                    self.listener.note(
                        f"{self.policy.name_of(held.lease.item)} is not done after {now - held.began:.0f} s; a decoder "
                        "that hangs can not be stopped in this process: --executor ray can"
                    )

    def lost(self, handle: WorkerHandle, failure: Failure, machine_fault: str) -> Iterator[GivenUp[Item]]:
        """A worker died, or was stopped because of a late lease: find out which of its items is the cause."""
        leases = [held.lease for held in handle.in_flight.values()]
        names = ", ".join(self.policy.name_of(lease.item) for lease in leases)
        doing = f" while working on {names}" if names else ""
        self.listener.note(f"{self.policy.worker} on {handle.name} lost{doing}: {failure.message}")
        log.warning("%s on %s lost%s: %s\n%s", *self._who(handle), doing, failure.message, failure.traceback)
        if len(leases) > 1 or (leases and machine_fault and self.may_retry_free(leases[0])):
            self.suspects.extend(leases)
        elif leases:
            blamed = replace(failure, decoder=leases[0].decoder)
            yield from self.failed(leases[0], blamed, self.isolated_retries)

    def broke(self, handle: WorkerHandle, lease: Lease[Item], failure: Failure) -> Iterator[GivenUp[Item]]:
        """The worker itself failed. Its leases go to others; one that meets only broken workers is given up."""
        log.warning("%s on %s is broken: %s\n%s", *self._who(handle), failure.message, failure.traceback)
        if self.may_retry_free(lease):
            self.queue.appendleft(lease)
        else:
            yield from self.failed(lease, failure, self.queue)
        if handle.broken:
            return  # it is being replaced already, and only finishes what it holds
        handle.broken = handle.retiring = True
        self.report.broken += 1
        self.listener.note(
            f"{self.policy.worker} on {handle.name} is broken, not what it worked on: {failure.message}"
        )
        if self.workers.can_stop:
            self.queue.extendleft(held.lease for held in handle.in_flight.values())
            handle.in_flight.clear()
        self.workers.replace_broken(handle, failure.message)

    def failed(
        self, lease: Lease[Item], failure: Failure, retries: deque[Lease[Item]]
    ) -> Iterator[GivenUp[Item]]:
        """The item is the cause: its next retry step joins the queue `retries`, or it is given up."""
        cause = lease.cause or replace(failure, traceback="")
        leases = [replace(retry, cause=cause) for retry in self.policy.retry(lease, failure)]
        name = self.policy.name_of(lease.item)
        log.info("%s, attempt %d: %s: %s", name, lease.attempt, failure.kind, failure.message)
        if leases:
            self.report.retries += 1
            self.listener.retried(lease, failure, leases)
            retries.extend(leases)
        else:
            self.report.given_up += 1
            self.listener.given_up(lease, failure)
            yield GivenUp(lease, lease.cause or failure)

    def may_retry_free(self, lease: Lease[Item]) -> bool:
        """Whether the item may be tried again at no cost, since the machine was the cause."""
        name = self.policy.name_of(lease.item)
        self.free_retries[name] += 1
        return self.free_retries[name] <= self.limits.free_retries

    def _who(self, handle: WorkerHandle) -> tuple[str, str]:
        return self.policy.worker, handle.name
