"""The search on Ray gives the same answer as in one process."""

from __future__ import annotations

import numpy as np
import pytest

from lpff_ray.curate.neighbours import search as neighbours
from lpff_ray.curate.neighbours.pooled import search_on
from lpff_ray.curate.neighbours.search import Block, pairs_within, partition
from lpff_ray.errors import UserError
from lpff_ray.run.executors import work_pool


@pytest.mark.ray
def test_ray_finds_the_same(local_node: None, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(600, 32))[random.integers(0, 600, 4500)] + random.normal(size=(4500, 32)) * 0.1
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    here = pairs_within(rows, 0.2)
    monkeypatch.setattr(neighbours.partition, "__kwdefaults__", {"block_rows": 800, "device": "cpu"})
    blocks, tasks = partition(rows, 0.2)
    assert len(blocks) > 4
    assert len(tasks) > 8, "more than are handed out at once"
    with work_pool("ray") as pool:
        there = pairs_within(rows, 0.2, map_tasks=search_on(pool))
    assert len(here.first) > 1000
    for name in ("first", "second", "distance"):
        assert np.array_equal(getattr(here, name), getattr(there, name))


@pytest.mark.ray
def test_a_task_that_fails_ends_the_search_in_one_line(local_node: None) -> None:
    rows = np.tile(np.float32([[0.6, 0.8]]), (10, 1))
    blocks, tasks = partition(rows, 0.1)
    broken = Block(**{**vars(blocks[0]), "starts": np.array([0, 99])})
    with (
        work_pool("ray") as pool,
        pytest.raises(UserError, match=r"^comparing faces failed: [^\n]+$"),
    ):
        list(search_on(pool)([broken], tasks, "cpu"))
