"""The Ray executor of exports: hands units of work to exporters, and tries again what died with one.

Exporters decode, so they hang and crash as miners do: the same crew keeps them, and the same rule finds who is to
blame. Units that were in flight in an exporter that died, or was killed past a deadline, are tried again alone.
"""

from __future__ import annotations

import functools
import time
from collections import Counter, deque
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from cluster.crew import Crew, Hand, Job, Limits, reason
from cluster.session import fit, marker_in, session
from lpff_ray.decode.frame_source import NS
from lpff_ray.errors import Failure, UserError
from lpff_ray.exports import job as export
from lpff_ray.exports.units import Receipt, Unit
from lpff_ray.exports.worker import Exporter
from lpff_ray.monitoring.interrupt import Interrupt

ATTEMPTS = 3
SECONDS_PER_ROW = 5.0  # allowed, beside what Limits allow for the stretch of video to be decoded


def ray_exporter(address: str = "") -> export.Executor:
    """An executor that exports on the Ray cluster at `address`."""
    return functools.partial(run_ray, address=address)


def run_ray(job: export.Job, address: str = "", limits: Limits | None = None) -> export.Outcome:
    """Make the job's units on Ray.

    The first SIGINT or SIGTERM drains, the second lets go. Raises UserError if the cluster can not be reached, no
    exporter starts, or one met what concerns the whole export.
    """
    with session(address), marker_in(job.dest) as marker:
        return _Export(job, marker, limits or Limits()).run()


class _Export:
    """The state of one export. queue: units for any exporter. suspects: to be tried alone."""

    def __init__(self, job: export.Job, marker: str, limits: Limits) -> None:
        self.job, self.limits = job, limits
        self.queue, self.suspects = deque(job.units), deque[Unit]()
        self.attempts = Counter[str]()
        self.outcome = export.Outcome()
        self.crew = Crew(
            lambda: fit(ray.nodes(), "cpu", job.workers),
            functools.partial(Exporter, job.product, job.dest),
            marker,
            limits,
            job.progress.note,
            trade="exporter",
        )

    def run(self) -> export.Outcome:
        with Interrupt() as interrupt:
            try:
                while not interrupt.insisted and (self.in_flight() or self.waiting()):
                    if not interrupt.requested:
                        self.crew.staff(self.waiting(), len(self.suspects))
                        self.hand_out()
                    elif not self.in_flight():
                        break
                    for hand, ref in self.crew.finished():
                        self.settle(hand, ref)
                    self.enforce_deadlines()
            finally:
                self.outcome.unfinished = self.in_flight() + self.waiting()
                self.crew.close()
        self.outcome.interrupted = interrupt.requested
        return self.outcome

    def in_flight(self) -> int:
        return sum(len(hand.jobs) for hand in self.crew.hands)

    def waiting(self) -> int:
        return len(self.queue) + len(self.suspects)

    def hand_out(self) -> None:
        for hand in self.crew.ready():
            if not hand.jobs:
                hand.alone = bool(self.suspects)
                if hand.alone:
                    self.give(hand, self.suspects.popleft())
            while self.queue and not hand.alone and len(hand.jobs) < hand.berth.threads:
                self.give(hand, self.queue.popleft())

    def give(self, hand: Hand, unit: Unit) -> None:
        times = unit.rows["pts_ns"].to_numpy()
        video_s = float(times.max() - times.min()) / NS
        allowed = self.limits.base_s + self.limits.per_second * video_s + SECONDS_PER_ROW * len(unit.rows)
        now = time.monotonic()
        hand.jobs[hand.actor.run.remote(unit)] = Job(unit, now, now + allowed)

    def settle(self, hand: Hand, ref: Any) -> None:
        try:
            answer = ray.get(ref)
        except RayTaskError as error:  # the format has a bug: it would fail again
            unit = hand.jobs.pop(ref).lease
            self.end(unit, Receipt(unit.unit_id, Failure("process", "Error", reason(error))))
        except RayError:
            self.lose(hand, "the exporter died: a crash, or killed by the system")
        else:
            unit = hand.jobs.pop(ref).lease
            if isinstance(answer, UserError):
                raise answer
            self.end(unit, answer)

    def end(self, unit: Unit, receipt: Receipt) -> None:
        self.outcome.receipts.append(receipt)
        self.job.progress.advance(len(unit.rows))

    def enforce_deadlines(self) -> None:
        for hand, job in self.crew.late():
            self.lose(hand, f"not done after {time.monotonic() - job.began:.0f} s")

    def lose(self, hand: Hand, why: str) -> None:
        """An exporter died or is killed; its units are tried again alone, with the other decoder, or given up."""
        self.crew.dismiss(hand)
        lost_node = self.crew.lost_node(hand.berth)
        units = [job.lease for job in hand.jobs.values()]
        self.job.progress.note(f"exporter on {hand.berth.node_name} lost: {why}")
        for unit in units:
            blamed = len(units) == 1 and not lost_node
            self.attempts[unit.unit_id] += blamed
            if self.attempts[unit.unit_id] == ATTEMPTS:
                self.end(unit, Receipt(unit.unit_id, Failure("process", "ActorDied", why)))
            else:
                self.suspects.append(replace(unit, decoder="pyav") if blamed else unit)
