"""The Ray executor: what `lpff_ray.run.mine` calls to have a job done on a cluster; and all kinds of work by name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import ray

from actors.miner import make_engine
from cluster.dispatch import dispatch
from cluster.export import ray_exporter
from cluster.metrics import Metrics
from cluster.neighbours import ray_jobs
from cluster.session import fit, marker_in, session
from lpff_ray.run.mine import Executor, Job, Outcome


def ray_executor(address: str = "") -> Executor:
    """An executor that mines on the Ray cluster at `address`."""
    return functools.partial(run_ray, address=address)


def run_ray(job: Job, address: str = "") -> Outcome:
    """Mine the job's segments on Ray. Raises UserError if the cluster can not be reached or no miner starts."""
    with session(address), marker_in(job.out) as marker:
        job.progress.listen(Metrics())
        return dispatch(
            job.segments,
            functools.partial(make_engine, job.config, job.out, job.device),
            lambda: fit(ray.nodes(), job.device, job.workers),
            job.progress,
            job.on_quarantine,
            marker=marker,
        )


WORK: dict[str, Callable[[str], Any]] = {"mine": ray_executor, "dedupe": ray_jobs, "export": ray_exporter}


def on_ray(work: str, address: str) -> Any:
    """Who does a verb's work on the Ray cluster at `address`, as `mine`, `dedupe` or `export` takes it."""
    return WORK[work](address)
