"""The placements that fit a cluster."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from cluster.placement import Placement, placements
from lpff_ray.errors import UserError


def node(name: str, alive: bool = True, **resources: float) -> dict[str, Any]:
    """A node as `ray.nodes()` reports it."""
    memory = {"memory": 8 * 2**30}
    return {
        "NodeID": name,
        "Alive": alive,
        "NodeManagerAddress": "10.0.0.1",
        "NodeManagerHostname": f"host-{name}",
        "Resources": {**memory, **resources},
    }


@pytest.mark.parametrize(
    ("cores", "count", "claim", "threads"),
    [(1, 1, 1, 1), (2, 1, 2, 2), (3, 1, 2, 2), (5, 2, 2, 2), (8, 4, 2, 2), (0.5, 1, 0.5, 1)],
)
def test_one_worker_per_pair_of_cores(cores: float, count: int, claim: float, threads: int) -> None:
    found = placements([node("a", CPU=cores)])
    assert found == [
        Placement("a", "host-a", claim, 0.0, threads, 8192 / count, slot) for slot in range(count)
    ], "each of its own, so that one can leave the pool"
    assert sum(placement.cpus for placement in found) <= cores


def test_one_worker_per_gpu_and_none_on_nodes_without() -> None:
    found = placements([node("a", CPU=64, GPU=4), node("b", CPU=64), node("c", CPU=4, GPU=2)])
    assert Counter(placement.node_id for placement in found) == {"a": 4, "c": 2}
    assert {
        (placement.node_id, placement.gpus, placement.cpus, placement.threads) for placement in found
    } == {
        ("a", 1.0, 8.0, 8),
        ("c", 1.0, 1.0, 2),
    }


def test_cpu_device_leaves_gpus_alone() -> None:
    found = placements([node("a", CPU=4, GPU=1)], device="cpu")
    assert [(placement.cpus, placement.gpus) for placement in found] == [(2.0, 0.0)] * 2


def test_cpu_only_cluster_claims_no_gpu() -> None:
    assert all(placement.gpus == 0 for placement in placements([node("a", CPU=4)], device="auto"))
    with pytest.raises(UserError, match="--device cuda: none of the cluster's 1 nodes reports a GPU"):
        placements([node("a", CPU=4)], device="cuda")


def test_dead_nodes_and_nodes_without_cores_are_left_out() -> None:
    nodes = [node("head", CPU=0), node("gone", alive=False, CPU=8), node("a", CPU=2)]
    assert [placement.node_id for placement in placements(nodes)] == ["a"]
    with pytest.raises(UserError, match="no CPU to work on"):
        placements(nodes[:2])


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 12])
def test_workers_are_spread_by_size_and_their_claims_placements(workers: int) -> None:
    cores = {"a": 8, "b": 4}
    found = placements([node(name, CPU=count) for name, count in cores.items()], workers=workers)
    assert len(found) == workers
    claimed: Counter[str] = Counter()
    for placement in found:
        claimed[placement.node_id] += placement.cpus
    assert all(claimed[name] <= cores[name] for name in claimed)
    placed = Counter(placement.node_id for placement in found)
    assert placed["a"] >= placed["b"]


def test_more_workers_than_gpus_share_them() -> None:
    found = placements([node("a", CPU=16, GPU=2)], workers=3)
    assert [placement.gpus for placement in found] == [0.5] * 3
