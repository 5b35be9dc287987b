"""The search on a worker pool gives what the search in this process gives."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lpff_ray.curate.neighbours import search
from lpff_ray.curate.neighbours.pooled import ATTEMPTS, search_on, search_retries, search_task_name
from lpff_ray.curate.neighbours.search import Block, gather, pairs_within, partition
from lpff_ray.errors import Failure, UserError
from lpff_ray.run.executors import work_pool
from lpff_ray.run.lease import Lease
from lpff_ray.types import Stage


def crowd(count: int, width: int = 32) -> NDArray[np.float32]:
    random = np.random.default_rng(0)
    rows = random.normal(size=(count // 4, width))[random.integers(0, count // 4, count)]
    rows = rows + random.normal(size=(count, width)) * 0.1
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_a_local_pool_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "FEWEST_CELLED", 100)  # cells, and so blocks, of few vectors
    rows = crowd(2000)
    here = pairs_within(rows, 0.2)
    blocks, tasks = partition(rows, 0.2, block_rows=300)
    assert len(tasks) > 1
    with work_pool("local", workers=2, device="cpu") as pool:
        there = gather(search_on(pool)(blocks, tasks, "cpu"), len(rows))
    assert len(here.first) > 100
    for name in ("first", "second", "distance"):
        assert np.array_equal(getattr(here, name), getattr(there, name))


def test_a_task_that_fails_is_tried_again_and_ends_in_one_line() -> None:
    blocks, tasks = partition(crowd(20), 0.1)
    broken = Block(**{**vars(blocks[0]), "starts": np.array([0, 99])})
    with (
        work_pool("local", workers=1, device="cpu") as pool,
        pytest.raises(UserError, match=r"^comparing faces failed: [^\n]+$"),
    ):
        list(search_on(pool)([broken], tasks, "cpu"))


def test_a_task_is_tried_three_times_as_it_is() -> None:
    (task,) = partition(crowd(20), 0.1)[1]
    failure = Failure(Stage.PROCESS, "KeyError", "")
    assert search_task_name(task) == "blocks 0 and 0"
    (second,) = search_retries(Lease(task, 1), failure)
    assert (second.item, second.attempt) == (task, 2)
    assert search_retries(Lease(task, ATTEMPTS), failure) == []
