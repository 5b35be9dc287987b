"""The search for neighbours as Ray tasks, for more vectors than one machine should compare."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import ray

from cluster.session import session
from lpff_ray.curate.neighbours.search import Block, Job, MapJobs, Neighbours, solve
from lpff_ray.errors import UserError

_JOBS_PER_CPU = 2  # handed out at once: enough to keep every core busy, few enough to hold their answers


def ray_jobs(address: str = "") -> MapJobs:
    """What `pairs_within` takes as `map_jobs` to search on the Ray cluster at `address`."""
    return functools.partial(solve_on_ray, address=address)


def solve_on_ray(
    blocks: Sequence[Block], jobs: Sequence[Job], device: str = "cpu", address: str = ""
) -> Iterator[Neighbours]:
    """Do the jobs on Ray, a task each, and yield their answers as they come.

    Every block crosses once, into Ray's object store (which spills to disk); a worker holds the two blocks of its job.
    device: "cuda" asks for a GPU per task. Raises UserError if the cluster can not be reached, or a job fails three
    times.
    """
    with session(address):
        stored = [ray.put(block) for block in blocks]
        gpus = 1 if device.startswith("cuda") else 0
        task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=2)(solve)
        at_once = _JOBS_PER_CPU * max(1, int(ray.cluster_resources().get("CPU", 1)))
        left = iter(jobs)
        running: list[ray.ObjectRef] = []
        while True:
            while len(running) < at_once and (job := next(left, None)) is not None:
                running.append(task.remote(job, stored[job.first], stored[job.second], device))
            if not running:
                return
            done, running = ray.wait(running, num_returns=1)
            try:
                yield ray.get(done[0])
            except ray.exceptions.RayError as error:
                reason = str(error).strip().splitlines()[-1]
                raise UserError(f"comparing faces on Ray failed: {reason}") from None
