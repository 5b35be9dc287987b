"""The local executor: a few threads of this process share one engine."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from lpff_ray.monitoring.interrupt import Interrupt
from lpff_ray.run.engine import Engine
from lpff_ray.run.lease import Lease, Receipt
from lpff_ray.run.mine import Job, Outcome
from lpff_ray.run.retry import next_leases

MOST_THREADS = 8


def run_local(job: Job) -> Outcome:
    """Mine the job's segments in this process.

    The first Ctrl-C drains: no segment is begun any more, those in flight finish. The second lets go of them; their
    parts are committed whole or not at all. A decoder that hangs or crashes takes this process with it: `--executor
    ray` survives both.
    """
    engine = Engine(job.config, job.out, job.device)
    threads = job.workers or max(1, min(MOST_THREADS, len(os.sched_getaffinity(0))))
    outcome = Outcome()
    with Interrupt() as interrupt:
        pool = ThreadPoolExecutor(threads, thread_name_prefix="mine")
        try:
            _drive(pool, engine, job, outcome, interrupt, threads)
        finally:
            pool.shutdown(wait=not interrupt.insisted, cancel_futures=True)
    outcome.interrupted = interrupt.requested
    return outcome


def _drive(
    pool: ThreadPoolExecutor, engine: Engine, job: Job, outcome: Outcome, interrupt: Interrupt, threads: int
) -> None:
    queue: deque[Lease] = deque(Lease(segment) for segment in job.segments)
    running: set[Future[Receipt]] = set()
    announced = False
    while running or (queue and not interrupt.requested):
        while queue and len(running) < threads and not interrupt.requested:
            running.add(pool.submit(engine.run, queue.popleft()))
        job.progress.in_flight(len(running))
        finished, running = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
        if interrupt.insisted:
            break
        if interrupt.requested and running and not announced:
            announced = True
            job.progress.note(
                f"stopping: {len(running)} segments in flight will finish; Ctrl-C again lets go of them"
            )
        queue.extend(_settle((future.result() for future in finished), job, outcome))
    outcome.unfinished = len(queue) + len(running)


def _settle(receipts: Iterable[Receipt], job: Job, outcome: Outcome) -> list[Lease]:
    """Count receipts; what failed climbs the ladder. Returns the leases that are to be tried."""
    again: list[Lease] = []
    for receipt in receipts:
        if receipt.failure is None:
            outcome.mined += 1
            outcome.frames += receipt.frames_looked_at
            outcome.faces += receipt.faces
            job.progress.receipt(receipt)
            continue
        leases = next_leases(receipt.lease, receipt.failure)
        if leases:
            outcome.retries += 1
            job.progress.retry(receipt.lease, receipt.failure, leases)
            again.extend(leases)
        else:
            outcome.quarantined += 1
            job.progress.quarantined(receipt.lease, receipt.failure)
            job.on_quarantine(receipt.lease, receipt.failure, receipt.lease.attempt)
    return again
