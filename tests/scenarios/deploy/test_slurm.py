"""cluster/deploy/slurm.sh: what it starts, and what becomes of the job when it is told to end, or its program ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from repository import REPOSITORY

STUBS = {
    "srun": 'echo "srun $*" >>"$LOG"; exec sleep 60',
    # Line by line: whoever reads the first one only ends it.
    "scontrol": """[ "$1" = show ] || exec sh -c 'echo "scontrol $*" >>"$LOG"' sh "$@"
echo 127.0.0.1; sleep 0.2; echo other; sleep 0.2; echo third""",
    "lpff-ray": """echo "lpff-ray $* at $RAY_ADDRESS" >>"$LOG"
trap 'echo drained >>"$LOG"; exit 130' TERM
[ -z "${ENDS:-}" ] || exit "$ENDS"
while :; do sleep 0.1; done""",
    "ray": "exit 0",
}


@pytest.mark.parametrize(
    ("told", "ends", "code", "requeued"),
    [
        (signal.SIGUSR1, "", 130, True),
        (signal.SIGTERM, "", 130, False),
        (None, "0", 0, False),
        (None, "1", 1, False),
        (None, "75", 75, True),
    ],
    ids=["time-is-up", "cancelled", "done", "quarantined", "bucket-away"],
)
def test_a_slurm_job_drains_and_is_requeued(
    tmp_path: Path, told: signal.Signals | None, ends: str, code: int, requeued: bool
) -> None:
    """With stubs for Slurm and Ray. The port that it waits for is open."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, text in STUBS.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    log = tmp_path / "log"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "SLURM_"))},
        **{"LOG": str(log), "ENDS": ends, "REPOSITORY": str(tmp_path), "TMPDIR": str(tmp_path)},
        **{
            "SLURM_JOB_ID": "7",
            "SLURM_JOB_NODELIST": "n[1-3]",
            "SLURM_JOB_NUM_NODES": "3",
            "SLURM_GPUS_ON_NODE": "2",
        },
    }
    with socket.create_server(("127.0.0.1", 20007)):
        job = subprocess.Popen(
            ["bash", REPOSITORY / "cluster" / "deploy" / "slurm.sh", "mine", "videos", "--out", "run"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        until = time.monotonic() + 30
        while not (log.exists() and "lpff-ray mine" in log.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.3)  # for the stub to set its trap
        if told is not None:
            os.kill(job.pid, told)
        try:
            assert job.wait(timeout=30) == code
        finally:
            os.killpg(job.pid, signal.SIGKILL)
    lines = log.read_text().splitlines()
    assert "lpff-ray mine videos --out run at 127.0.0.1:20007" in lines
    assert ("drained" in lines) is (told is not None)
    assert ("scontrol requeue 7" in lines) is requeued
    steps = [line for line in lines if line.startswith("srun ")]
    assert len(steps) == 2
    assert all("--num-gpus=2" in step for step in steps)
    assert any("--nodes=2 --ntasks=2 --exclude=127.0.0.1" in step for step in steps)
