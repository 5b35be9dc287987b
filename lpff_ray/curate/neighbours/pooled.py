"""The search for neighbours on a worker pool: threads of this process, or a cluster where one machine is too few."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import closing

from lpff_ray.curate.neighbours.search import Block, MapTasks, Neighbours, SearchTask, solve
from lpff_ray.errors import Failure, UserError
from lpff_ray.run.lease import GivenUp, Lease
from lpff_ray.run.policy import Policy
from lpff_ray.run.pool import WorkPool
from lpff_ray.run.workers import Shared

ATTEMPTS = 3


class SearchWorker:
    """Solves tasks; holds no more than the two blocks of each."""

    def __init__(self, blocks: Shared[Block], device: str) -> None:
        self._blocks, self._device = blocks, device

    def run(self, lease: Lease[SearchTask]) -> Neighbours:
        """The task's pairs, in no particular order."""
        task = lease.item
        return solve(task, self._blocks[task.first], self._blocks[task.second], self._device)


def search_on(pool: WorkPool) -> MapTasks:
    """What `pairs_within` takes to have its tasks done by a pool."""
    return functools.partial(solve_on, pool)


def solve_on(
    pool: WorkPool, blocks: Sequence[Block], tasks: Sequence[SearchTask], device: str = "cpu"
) -> Iterator[Neighbours]:
    """Do the tasks on the pool and yield their answers as they come.

    Every block crosses to a cluster once. Raises UserError if a task fails three times, KeyboardInterrupt if the user
    interrupts the pool: half of an answer is none.
    """
    make_worker = functools.partial(SearchWorker, pool.executor.share(blocks))
    with closing(pool.map(tasks, make_worker, POLICY)) as ended:
        for end in ended:
            if isinstance(end, GivenUp):
                raise UserError(f"comparing faces failed: {end.failure.kind}: {end.failure.message}")
            yield end.result
    if pool.report.interrupted:
        raise KeyboardInterrupt


def search_task_name(task: SearchTask) -> str:
    """What the pool calls a task."""
    return f"blocks {task.first} and {task.second}"


def search_retries(lease: Lease[SearchTask], failure: Failure) -> list[Lease[SearchTask]]:
    """The same again, a few times: a task has nothing that could be done otherwise."""
    return [Lease(lease.item, lease.attempt + 1)] if lease.attempt < ATTEMPTS else []


def never_counts(task: SearchTask) -> bool:
    """Search tasks do not count towards the recycling of a worker."""
    return False


POLICY: Policy[SearchTask] = Policy(
    worker="searcher",
    items="comparisons",
    name_of=search_task_name,
    retry=search_retries,
    group_of=search_task_name,
    counts=never_counts,
)
"""How a pool treats search tasks."""
