"""What the processes of workers are given, what is told of those that lack something, and what is left of them."""

from __future__ import annotations

import os
from pathlib import Path

from ray.exceptions import RayError, RayTaskError

from lpff_ray.storage.uri import absolute

CURE = (
    "give its nodes what this process has (credentials, network, mounts): cluster/README.md says how they travel; "
    "then run the same command to go on"
)
LAST_BYTES = 4_000
"""Bytes kept of the end of a dead worker's standard error."""


def environment() -> dict[str, str]:
    """Environment variables of the workers, on every node."""
    # Ray would set OMP_NUM_THREADS to num_cpus; with a thread per lease already, one each is enough.
    chosen = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    if os.environ.get("LPFF_RAY_MODELS"):
        chosen["LPFF_RAY_MODELS"] = absolute(os.environ["LPFF_RAY_MODELS"])
    # Limits that this run's user has moved hold for every worker.
    return chosen | {name: value for name, value in os.environ.items() if name.startswith("LPFF_RAY_MAX_")}


def reason(error: RayError) -> str:
    """A Ray error in one line: the worker's own exception, else the last line of Ray's page."""
    cause = getattr(error, "cause", None) if isinstance(error, RayTaskError) else None
    if cause is not None and not isinstance(cause, RayError):
        text = str(cause).strip().splitlines()
        return f"{type(cause).__name__}: {text[-1] if text else ''}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def end_of_stderr(path: str, node: str) -> str:
    """The end of what a worker wrote to its standard error; the file's name if it is on another node."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, Path(path).stat().st_size - LAST_BYTES))
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return f"see {path} on node {node}" if path else ""


def out_of_reach(folder: str, node: str, objection: str) -> str:
    """What is told of an output folder that a node can not use."""
    if "://" in folder:
        return f"{folder} can not be used from node {node}: {objection}; {CURE}"
    return (
        f"{folder} is not visible from node {node}: "
        "choose a folder of a shared file system, or a URI such as s3://bucket/run"
    )
