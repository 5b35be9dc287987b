"""The connection to Ray, and the fleet that fits the cluster: which miners, of what shape, on which nodes."""

from __future__ import annotations

import logging
import math
import os
import socket
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from io import TextIOBase
from pathlib import Path
from typing import Any, TextIO

import ray

from lpff_ray.errors import UserError

CPUS_PER_MINER = 2
MOST_THREADS = 8
MIB = 1 << 20
DAY = 86_400


@dataclass(frozen=True)
class Berth:
    """A place for one miner on one node.

    cpus, gpus: what it claims of the node; fractions share a core or a device.
    threads: leases worked on at once. While one decodes, another is measured.
    memory_mb: its share of the node's memory, in MiB; 0 if unknown.
    """

    node_id: str
    node_name: str
    cpus: float
    gpus: float = 0.0
    threads: int = 1
    memory_mb: float = 0.0


def fit(nodes: Sequence[dict[str, Any]], device: str = "auto", workers: int | None = None) -> list[Berth]:
    """The fleet for a cluster as `ray.nodes()` reports it.

    Where there are GPUs (and `device` is not "cpu"): one miner per GPU, on GPU nodes only. Otherwise one
    miner per pair of cores; a node of one core, or of a part of one, gets a miner too. `workers` fixes their
    number, spread over the nodes by size; more than fit share cores and devices. Only what exists is claimed,
    so nothing waits for resources that never come.

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
    room = gpus if on_gpus else {name: cores / CPUS_PER_MINER for name, cores in cpus.items()}
    if not any(room.values()):
        raise UserError("the cluster reports no CPU to mine on: start a node with `ray start --address=...`")

    if workers is None:
        count = {name: (max(1, int(size)) if size else 0) for name, size in room.items()}
    else:
        count = dict.fromkeys(room, 0)
        for _ in range(workers):
            count[max(room, key=lambda name: room[name] / (count[name] + 1))] += 1

    berths = []
    for node in alive:
        name = node["NodeID"]
        miners = count[name]
        if not miners:
            continue
        share = cpus[name] / miners
        berth = Berth(
            node_id=name,
            node_name=node.get("NodeManagerHostname") or node["NodeManagerAddress"],
            # A GPU miner is placed by its GPU; it claims half of its cores, to leave some to a job's driver.
            cpus=_claim(share / 2 if on_gpus else min(CPUS_PER_MINER, share)),
            gpus=_claim(1 / math.ceil(miners / gpus[name])) if on_gpus else 0.0,
            threads=min(MOST_THREADS, max(2, int(share))) if on_gpus else max(1, min(2, int(share))),
            memory_mb=float(node["Resources"].get("memory", 0)) / MIB / miners,
        )
        berths += [berth] * miners
    return berths


def _claim(amount: float) -> float:
    """An amount that Ray accepts: above 1 whole, below 1 a fraction, rounded down so that all claims fit."""
    return float(int(amount)) if amount >= 1 else int(amount * 1000) / 1000


@contextmanager
def session(address: str = "") -> Iterator[None]:
    """Be connected to Ray: to `address`, else to RAY_ADDRESS (set inside a Ray job), else to a node of our
    own.

    A connection that exists already is used and left open. Raises UserError if the cluster can not be
    reached.
    """
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS", "")
    logging.getLogger("ray").setLevel(logging.ERROR)  # tips and notices; errors reach us as exceptions
    # What workers print stays in Ray's log files: FFmpeg's complaints about every other frame would bury the
    # bar.
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address and address != "local":
        _knock(address)
        where: dict[str, Any] = {"address": address}
    else:
        if " " in sys.executable:  # its raylet would try for five minutes and more, and say nothing
            raise UserError(
                f"Ray can not start workers from {sys.executable}: move Python to a path without a space"
            )
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # Leases and receipts are all that crosses Ray: its object store can be as small as Ray allows.
        where = {"address": "local", "include_dashboard": False, "object_store_memory": 128 * MIB}
    with redirect_stdout(_WithoutRaylet(sys.stdout)):
        try:
            ray.init(**where, **quiet)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UserError(f"can not connect to Ray at {address or 'a local node'}: {reason}") from None
        try:
            yield
        finally:
            ray.shutdown()


def _knock(address: str) -> None:
    """Raise UserError if nobody listens at HOST:PORT. Ray itself would try for long, and print a page."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return  # "auto": Ray knows
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:
        raise UserError(
            f"--address {address}: no Ray cluster answers there ({error.strerror or error}); "
            "start one with `./run_cluster.sh start`, or leave --address out to mine on this machine"
        ) from None


@contextmanager
def marker_in(out: str) -> Iterator[str]:
    """A file in the output directory by which miners prove that they see it; removed at the end.

    Yields its path, or "" for a place that is the same from everywhere by nature (s3://, gs://, ...).
    Raises UserError for a place that only this process can see.
    """
    if out.startswith("memory://"):
        raise UserError(
            f"{out}: memory of this process is not visible to Ray's workers; use --executor local"
        )
    out = out.removeprefix("file://")
    if "://" in out:
        yield ""
        return
    marker = Path(out).absolute() / f".visible-{uuid.uuid4().hex}"
    for old in marker.parent.glob(".visible-*"):  # of a driver that was killed
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > DAY:
                old.unlink()
    try:
        marker.touch()
    except OSError as error:
        raise UserError(f"{out}: can not write there: {error.strerror}") from None
    try:
        yield str(marker)
    finally:
        with suppress(OSError):
            marker.unlink()


class _WithoutRaylet(TextIOBase):
    """Standard output without Ray's own page-long notices of dead workers, which no setting of Ray's turns
    off.

    The dispatcher says the same in one line, on stderr.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._dropped = False

    def write(self, text: str) -> int:
        if "(raylet)" in text:
            self._dropped = True
        elif not (self._dropped and text == "\n"):
            self._dropped = False
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()
