"""Placements: how many workers a cluster has room for, on which nodes, and with which resources."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lpff_ray.errors import UserError

CPUS_PER_WORKER = 2
MOST_THREADS = 8
MIB = 1 << 20


@dataclass(frozen=True)
class Placement:
    """Room for one worker on one node.

    cpus, gpus: what it claims of the node; fractions share a core or a device.
    threads: leases worked on at once. While one decodes, another is measured.
    memory_mb: its share of the node's memory, in MiB; 0 if unknown.
    slot: its number on the node, so that one of several can leave the pool.
    """

    node_id: str
    node_name: str
    cpus: float
    gpus: float = 0.0
    threads: int = 1
    memory_mb: float = 0.0
    slot: int = 0


def placements(
    nodes: Sequence[dict[str, Any]], device: str = "auto", workers: int | None = None
) -> list[Placement]:
    """The placements that a cluster offers, as `ray.nodes()` reports it.

    Where there are GPUs (and `device` is not "cpu"): one worker per GPU, on GPU nodes only. Otherwise one
    worker per pair of cores; a node of one core, or of a part of one, gets a worker too. `workers` fixes their
    number, spread over the nodes by size; more than there is room for share cores and devices. Only what exists is
    claimed, so nothing waits for resources that never come.

    Raises UserError if device is "cuda" and no node has a GPU, or if no node has a core.
    """
    alive = [node for node in nodes if node["Alive"]]
    gpus = {node["NodeID"]: float(node["Resources"].get("GPU", 0)) for node in alive}
    cpus = {node["NodeID"]: float(node["Resources"].get("CPU", 0)) for node in alive}
    if device.startswith("cuda") and not any(gpus.values()):
        raise UserError(
            f"--device {device}: none of the cluster's {len(alive)} nodes reports a GPU; use --device cpu"
        )
    on_gpus = device != "cpu" and any(gpus.values())
    room = gpus if on_gpus else {name: cores / CPUS_PER_WORKER for name, cores in cpus.items()}
    if not any(room.values()):
        raise UserError("the cluster reports no CPU to work on: start a node with `ray start --address=...`")

    if workers is None:
        count = {name: (max(1, int(size)) if size else 0) for name, size in room.items()}
    else:
        count = dict.fromkeys(room, 0)
        for _ in range(workers):
            count[max(room, key=lambda name: room[name] / (count[name] + 1))] += 1

    found = []
    for node in alive:
        name = node["NodeID"]
        workers_here = count[name]
        if not workers_here:
            continue
        share = cpus[name] / workers_here
        placement = Placement(
            node_id=name,
            node_name=node.get("NodeManagerHostname") or node["NodeManagerAddress"],
            # A GPU worker is placed by its GPU; it claims half of its cores, to leave some to a job's driver.
            cpus=_claim(share / 2 if on_gpus else min(CPUS_PER_WORKER, share)),
            gpus=_claim(1 / math.ceil(workers_here / gpus[name])) if on_gpus else 0.0,
            threads=min(MOST_THREADS, max(2, int(share))) if on_gpus else max(1, min(2, int(share))),
            memory_mb=float(node["Resources"].get("memory", 0)) / MIB / workers_here,
        )
        found += [replace(placement, slot=slot) for slot in range(workers_here)]
    return found


def _claim(amount: float) -> float:
    """An amount that Ray accepts: above 1 whole, below 1 a fraction, rounded down so that all claims fit."""
    return float(int(amount)) if amount >= 1 else int(amount * 1000) / 1000
