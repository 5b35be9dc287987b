"""The dispatcher: leases segments to miners, and owns deadlines, blame, retries, quarantine, the early end.

Decoders can hang holding the GIL, crash, or eat the memory, and take with them whatever else their process
was working on. So a segment past its deadline gets its miner killed, and the segments that were in flight in
a miner that was killed or died are *suspects*: each is tried again alone in a miner. One that succeeds there
was innocent, and it cost it nothing; one that fails there is to blame, and climbs the ladder of
`lpff_ray.run.retry`.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import ray
from ray.exceptions import RayError, RayTaskError

from actors.miner import Worker
from cluster.crew import Crew, Hand, Job, Limits, reason
from cluster.session import Berth
from lpff_ray.decode.frame_source import NS
from lpff_ray.errors import Failure, UserError
from lpff_ray.monitoring.interrupt import Interrupt
from lpff_ray.monitoring.progress import Progress
from lpff_ray.plan.segment import Segment
from lpff_ray.run.lease import Lease, Receipt
from lpff_ray.run.mine import Outcome
from lpff_ray.run.retry import next_leases, span_ns

OnQuarantine = Callable[[Lease, Failure, int], None]
"""Called with the lease that was given up, why, and after how many attempts."""


@dataclass
class Summary(Outcome):
    """What came of a run, and how many miners were killed past a deadline, died, or were replaced in time."""

    killed: int = 0
    died: int = 0
    recycled: int = 0


def dispatch(
    segments: Iterable[Segment],
    make_engine: Callable[[], Worker],
    fit: Callable[[], list[Berth]],
    progress: Progress,
    on_quarantine: OnQuarantine,
    *,
    marker: str = "",
    limits: Limits | None = None,
) -> Summary:
    """Mine every segment on the connected cluster, or quarantine it.

    make_engine: runs in each miner's process; must be picklable (a `functools.partial` of a class is).
    fit: the berths that the cluster offers now (`cluster.session.fit`); asked again as nodes join.
    marker: a file that every miner must see before it gets work (`cluster.session.marker_in`).

    The first SIGINT or SIGTERM drains: nothing new is leased, what is in flight may finish. The second lets
    go.

    Raises UserError if no miner can be started, or when an engine raised it (a full disk), after draining.
    """
    return _Dispatch(segments, make_engine, fit, progress, on_quarantine, marker, limits or Limits()).run()


class _Dispatch:
    """The state of one run.

    queue: leases for any miner. suspects: to be tried alone, soon. guilty: retries of what killed a miner,
    tried alone when the queue is empty, so that the good segments do not wait for the bad.
    """

    def __init__(
        self,
        segments: Iterable[Segment],
        make_engine: Callable[[], Worker],
        fit: Callable[[], list[Berth]],
        progress: Progress,
        on_quarantine: OnQuarantine,
        marker: str,
        limits: Limits,
    ) -> None:
        self.queue = deque(Lease(segment) for segment in segments)
        self.suspects: deque[Lease] = deque()
        self.guilty: deque[Lease] = deque()
        self.excused: Counter[str] = Counter()
        self.progress, self.on_quarantine, self.limits = progress, on_quarantine, limits
        self.crew = Crew(fit, make_engine, marker, limits, progress.note)
        self.pace = limits.per_second
        self.fatal: UserError | None = None
        self.give_up_at: float | None = None
        self.summary = Summary()

    def run(self) -> Summary:
        with Interrupt() as interrupt:
            try:
                while self.goes_on(interrupt):
                    if not (interrupt.requested or self.fatal):
                        waiting = len(self.queue) + len(self.suspects) + len(self.guilty)
                        self.crew.staff(waiting, len(self.suspects))
                        self.lease_out()
                    self.progress.in_flight(self.in_flight())
                    for hand, ref in self.crew.finished():
                        self.settle(hand, ref)
                    self.enforce_deadlines()
            finally:
                unfinished = self.in_flight() + len(self.queue) + len(self.suspects) + len(self.guilty)
                self.crew.close()
                self.progress.in_flight(0)
        if self.fatal is not None:
            raise self.fatal
        self.summary.unfinished = unfinished
        self.summary.interrupted = interrupt.requested
        return self.summary

    def goes_on(self, interrupt: Interrupt) -> bool:
        if interrupt.insisted:
            return False
        if interrupt.requested or self.fatal:
            if self.give_up_at is None:
                self.give_up_at = time.monotonic() + self.limits.grace_s
                self.progress.note(
                    f"stopping: {self.in_flight()} segments in flight have {self.limits.grace_s:.0f} s "
                    "to finish; Ctrl-C again lets go of them"
                )
            return self.in_flight() > 0 and time.monotonic() < self.give_up_at
        return bool(self.queue or self.suspects or self.guilty or self.in_flight())

    def in_flight(self) -> int:
        return sum(len(hand.jobs) for hand in self.crew.hands)

    # Handing out

    def lease_out(self) -> None:
        ready = self.crew.ready()
        for hand in ready:
            if not hand.jobs:
                trial = self.next_trial(hand)
                hand.alone = trial is not None
                if trial is not None:
                    self.lease(hand, trial)
        for depth in range(1, max((hand.berth.threads for hand in ready), default=0) + 1):
            for hand in ready:
                if self.queue and not hand.alone and len(hand.jobs) < min(depth, hand.berth.threads):
                    self.lease(hand, self.queue.popleft())

    def next_trial(self, hand: Hand) -> Lease | None:
        """The lease that an idle miner is to try alone, if it is its turn."""
        if self.suspects and (hand.alone or not self.queue):
            return self.suspects.popleft()
        return self.guilty.popleft() if self.guilty and not self.queue else None

    def lease(self, hand: Hand, lease: Lease) -> None:
        now = time.monotonic()
        allowed = self.limits.base_s + self.pace * seconds_of(lease.segment)
        if hand.served == 0:
            allowed += self.limits.warm_up_s
        hand.jobs[hand.actor.run.remote(lease)] = Job(lease, now, now + allowed)

    # Taking in

    def settle(self, hand: Hand, ref: ray.ObjectRef) -> None:
        try:
            outcome = ray.get(ref)
        except RayTaskError as error:  # the engine has a bug, or ran out of memory: its state is unknown
            hand.retiring = True
            lease = hand.jobs.pop(ref).lease
            kind, _, message = reason(error).partition(": ")
            self.failed(lease, Failure("process", kind, message, lease.decoder), self.queue)
        except RayError as error:
            self.summary.died += 1
            self.lose(hand, str(error))
            return
        else:
            job = hand.jobs.pop(ref)
            if isinstance(outcome, UserError):
                self.fatal = self.fatal or outcome
            elif outcome.failure is not None:
                self.failed(job.lease, outcome.failure, self.queue)
            else:
                self.mined(hand, job, outcome)
        if hand.retiring and not hand.jobs:
            self.crew.dismiss(hand)
            self.summary.recycled += 1

    def mined(self, hand: Hand, job: Job, receipt: Receipt) -> None:
        self.summary.mined += 1
        self.summary.frames += receipt.frames_looked_at
        self.summary.faces += receipt.faces
        self.progress.receipt(receipt)
        # A short segment's time says little of a long one's: ten seconds is the shortest that sets the pace.
        spent = time.monotonic() - job.began
        self.pace = max(self.pace, 5 * spent / max(10.0, seconds_of(job.lease.segment)))
        hand.served += job.lease.segment.video.kind != "photo"
        most = self.limits.rss_mb or hand.berth.memory_mb or float("inf")
        hand.retiring = hand.retiring or hand.served >= self.limits.served or receipt.rss_mb > most

    # Blame

    def enforce_deadlines(self) -> None:
        for hand, job in self.crew.late():
            self.summary.killed += 1
            self.lose(hand, "", late=job)

    def lose(self, hand: Hand, message: str, late: Job | None = None) -> None:
        """A miner died (of `message`), or is killed because a job is `late`: whose fault is it?"""
        self.crew.dismiss(hand)
        leases = [job.lease for job in hand.jobs.values()]
        names = ", ".join(lease.segment.segment_id for lease in leases)
        excuse = "its node is lost" if self.crew.lost_node(hand.berth) else ""
        if not excuse and "low on memory" in message:
            excuse = "killed by Ray because its node ran low on memory"
        if late is not None:
            failure = Failure("process", "Timeout", f"not done after {time.monotonic() - late.began:.0f} s")
        else:
            failure = Failure(
                "process", "ActorDied", excuse or "the worker died: a crash, or killed by the system"
            )
        self.progress.note(
            f"miner on {hand.berth.node_name} lost while working on {names}: {failure.message}"
        )
        for lease in leases:
            self.excused[lease.segment.segment_id] += bool(excuse)
        if len(leases) > 1 or (excuse and self.excused[leases[0].segment.segment_id] <= self.limits.excuses):
            self.suspects.extend(leases)
        else:
            blamed = Failure(failure.stage, failure.kind, failure.message, leases[0].decoder)
            self.failed(leases[0], blamed, self.guilty)

    def failed(self, lease: Lease, failure: Failure, again: deque[Lease]) -> None:
        """The lease itself is to blame: up the ladder, into the line `again`, or to quarantine."""
        leases = next_leases(lease, failure)
        if leases:
            self.summary.retries += 1
            self.progress.retry(lease, failure, leases)
            again.extend(leases)
        else:
            self.summary.quarantined += 1
            self.progress.quarantined(lease, failure)
            self.on_quarantine(lease, failure, lease.attempt)


def seconds_of(segment: Segment) -> float:
    """Seconds of video in a segment: 0 for a photo, 30 where it is not known."""
    if segment.video.kind == "photo":
        return 0.0
    span = span_ns(segment)
    return (span[1] - span[0]) / NS if span else 30.0
