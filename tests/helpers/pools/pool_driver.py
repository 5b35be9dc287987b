"""A driver for tests that signal it: `pool_driver.py EXECUTOR OUT SECONDS COUNT`. Prints its pool's report as JSON."""

from __future__ import annotations

import dataclasses
import functools
import json
import sys

import odd_worker
import ray.cloudpickle

from lpff_ray.errors import UserError
from lpff_ray.monitoring.events import Listeners
from lpff_ray.monitoring.progress import MiningProgress
from lpff_ray.run.executors import work_pool
from lpff_ray.run.mine import POLICY
from lpff_ray.run.workers import Limits


def main(executor: str, out: str, seconds: str, count: str) -> int:
    ray.cloudpickle.register_pickle_by_value(odd_worker)
    segments = [odd_worker.segment(f"v{i}", f"sleep:{seconds}") for i in range(int(count))]
    try:
        with (
            work_pool(executor, workers=1, out=out, limits=Limits(grace_s=20)) as pool,
            MiningProgress(len(segments), every_s=1.0) as progress,
        ):
            listeners = Listeners(progress, *pool.executor.listeners())
            for _ in pool.map(segments, functools.partial(odd_worker.OddWorker, out), POLICY, listeners):
                pass
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(dataclasses.asdict(pool.report)), flush=True)
    return 130 if pool.report.interrupted else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
