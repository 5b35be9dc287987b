"""The fleet that fits a cluster, and the errors of connecting to one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import ray

from cluster.session import Berth, _WithoutRaylet, fit, marker_in, session
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
    ("cores", "miners", "claim", "threads"),
    [(1, 1, 1, 1), (2, 1, 2, 2), (3, 1, 2, 2), (5, 2, 2, 2), (8, 4, 2, 2), (0.5, 1, 0.5, 1)],
)
def test_one_miner_per_pair_of_cores(cores: float, miners: int, claim: float, threads: int) -> None:
    berths = fit([node("a", CPU=cores)])
    assert berths == [Berth("a", "host-a", claim, 0.0, threads, 8192 / miners)] * miners
    assert sum(berth.cpus for berth in berths) <= cores


def test_one_miner_per_gpu_and_none_on_nodes_without() -> None:
    berths = fit([node("a", CPU=64, GPU=4), node("b", CPU=64), node("c", CPU=4, GPU=2)])
    assert Counter(berth.node_id for berth in berths) == {"a": 4, "c": 2}
    assert {(berth.node_id, berth.gpus, berth.cpus, berth.threads) for berth in berths} == {
        ("a", 1.0, 8.0, 8),
        ("c", 1.0, 1.0, 2),
    }


def test_cpu_device_leaves_gpus_alone() -> None:
    berths = fit([node("a", CPU=4, GPU=1)], device="cpu")
    assert [(berth.cpus, berth.gpus) for berth in berths] == [(2.0, 0.0)] * 2


def test_cpu_only_cluster_claims_no_gpu() -> None:
    assert all(berth.gpus == 0 for berth in fit([node("a", CPU=4)], device="auto"))
    with pytest.raises(UserError, match="--device cuda: none of the cluster's 1 nodes reports a GPU"):
        fit([node("a", CPU=4)], device="cuda")


def test_dead_nodes_and_nodes_without_cores_are_left_out() -> None:
    nodes = [node("head", CPU=0), node("gone", alive=False, CPU=8), node("a", CPU=2)]
    assert [berth.node_id for berth in fit(nodes)] == ["a"]
    with pytest.raises(UserError, match="no CPU to mine on"):
        fit(nodes[:2])


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 12])
def test_workers_are_spread_by_size_and_their_claims_fit(workers: int) -> None:
    cores = {"a": 8, "b": 4}
    berths = fit([node(name, CPU=count) for name, count in cores.items()], workers=workers)
    assert len(berths) == workers
    claimed: Counter[str] = Counter()
    for berth in berths:
        claimed[berth.node_id] += berth.cpus
    assert all(claimed[name] <= cores[name] for name in claimed)
    placed = Counter(berth.node_id for berth in berths)
    assert placed["a"] >= placed["b"]


def test_more_workers_than_gpus_share_them() -> None:
    berths = fit([node("a", CPU=16, GPU=2)], workers=3)
    assert [berth.gpus for berth in berths] == [0.5] * 3


def test_unreachable_address_is_one_line_and_soon(tmp_path: Path) -> None:
    code = (
        "from cluster.session import session\n"
        "from lpff_ray.errors import UserError\n"
        "try:\n"
        "    with session('127.0.0.1:1'): pass\n"
        "except UserError as error: print(error)\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert time.monotonic() - began < 30
    assert done.stdout.startswith("--address 127.0.0.1:1: no Ray cluster answers there")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.ray
def test_session_leaves_a_connection_of_the_caller_open(local_node: None) -> None:
    with session("127.0.0.1:1"):
        assert ray.is_initialized()
    assert ray.is_initialized()


def test_marker_proves_a_folder_and_is_removed(tmp_path: Path) -> None:
    with marker_in(str(tmp_path)) as marker:
        assert Path(marker).parent == tmp_path
        assert Path(marker).exists()
    assert not list(tmp_path.iterdir())


def test_markers_of_killed_drivers_are_swept_up(tmp_path: Path) -> None:
    old, young = tmp_path / ".visible-old", tmp_path / ".visible-young"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    with marker_in(str(tmp_path)):
        pass
    assert list(tmp_path.iterdir()) == [young], "a young one may be another driver's"


def test_marker_of_places_that_are_no_folder(tmp_path: Path) -> None:
    with marker_in("s3://bucket/run") as marker:
        assert marker == ""
    with pytest.raises(UserError, match=r"memory://run: .* --executor local"), marker_in("memory://run"):
        pass
    with pytest.raises(UserError, match="missing: can not write there"), marker_in(str(tmp_path / "missing")):
        pass


def test_raylets_notices_do_not_reach_standard_output() -> None:
    stream = io.StringIO()
    quiet = _WithoutRaylet(stream)
    print("before", file=quiet)
    print("\033[33m(raylet)\033[0m A worker died\nfor many reasons", file=quiet)
    print("after", file=quiet)
    assert stream.getvalue() == "before\nafter\n"
