"""The Ray executor: what `lpff_ray.mining` calls to have a job done on a cluster."""

from __future__ import annotations

import functools

import ray

from cluster.dispatch import dispatch
from cluster.metrics import Metrics
from cluster.session import fit, marker_in, session
from lpff_ray.engine import Engine
from lpff_ray.mining import Executor, Job, Outcome


def ray_executor(address: str = "") -> Executor:
    """An executor that mines on the Ray cluster at `address`."""
    return functools.partial(run_ray, address=address)


def run_ray(job: Job, address: str = "") -> Outcome:
    """Mine the job's segments on Ray. Raises UserError if the cluster can not be reached or no miner starts."""
    with session(address), marker_in(job.out) as marker:
        job.progress.listen(Metrics())
        return dispatch(
            job.segments,
            functools.partial(Engine, job.config, job.out, job.device),
            lambda: fit(ray.nodes(), job.device, job.workers),
            job.progress,
            job.on_quarantine,
            marker=marker,
        )
