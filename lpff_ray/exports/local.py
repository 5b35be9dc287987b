"""The local executor of exports: a few threads of this process share one exporter."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from lpff_ray.exports.job import Job, Outcome
from lpff_ray.exports.units import Receipt, Unit
from lpff_ray.exports.worker import Exporter
from lpff_ray.monitoring.interrupt import Interrupt

MOST_THREADS = 8


def run_local(job: Job) -> Outcome:
    """Make the job's units in this process.

    The first Ctrl-C drains: no unit is begun any more, those in flight finish. The second lets go of them; nothing of
    them is in place. Raises UserError for what concerns the whole export.
    """
    exporter = Exporter(job.product, job.dest)
    threads = job.workers or max(1, min(MOST_THREADS, len(os.sched_getaffinity(0))))
    queue = deque(job.units)
    running: dict[Future[Receipt], Unit] = {}
    outcome = Outcome()
    with Interrupt() as interrupt:
        pool = ThreadPoolExecutor(threads, thread_name_prefix="export")
        try:
            while (running or (queue and not interrupt.requested)) and not interrupt.insisted:
                while queue and len(running) < threads and not interrupt.requested:
                    unit = queue.popleft()
                    running[pool.submit(exporter.run, unit)] = unit
                for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
                    outcome.receipts.append(future.result())
                    job.progress.advance(len(running.pop(future).rows))
        finally:
            pool.shutdown(wait=not interrupt.insisted, cancel_futures=True)
    outcome.unfinished = len(queue) + len(running)
    outcome.interrupted = interrupt.requested
    return outcome
