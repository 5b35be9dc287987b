"""Ctrl-C and SIGTERM, sent as a terminal sends them, to a driver with a Ray node of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pool_driver
import pytest
from command import wait_until

pytestmark = pytest.mark.ray


def start(out: Path, seconds: float, count: int) -> subprocess.Popen[str]:
    """A driver in a process group of its own, once it has begun its first lease."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
    environment.pop("RAY_ADDRESS", None)
    driver = subprocess.Popen(
        [sys.executable, pool_driver.__file__, "ray", str(out), str(seconds), str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=environment,
    )
    wait_until(driver, (out / "log").exists)  # until its first lease has begun
    return driver


def test_first_signal_lets_what_is_in_flight_finish(tmp_path: Path) -> None:
    driver = start(tmp_path, seconds=2, count=50)
    os.killpg(
        driver.pid, signal.SIGINT
    )  # Ctrl-C goes to the terminal's whole group, Ray's processes included
    stdout, stderr = driver.communicate(timeout=40)
    assert driver.returncode == 130, stderr
    begun = len((tmp_path / "log").read_text().splitlines())
    summary = json.loads(stdout)
    assert begun == summary["completed"] == len(list(tmp_path.glob("*.done")))
    assert summary["interrupted"]
    assert summary["unfinished"] == 50 - begun
    assert "Traceback" not in stderr
    assert "segments in flight have 20 s to finish" in stderr
    assert not list(tmp_path.glob(".visible-*"))


def test_second_signal_lets_go_at_once(tmp_path: Path) -> None:
    driver = start(tmp_path, seconds=100, count=4)
    os.kill(driver.pid, signal.SIGTERM)  # as `ray job stop` and Slurm do
    assert driver.stderr is not None
    for line in driver.stderr:
        if "segments in flight have 20 s to finish" in line:
            break
    assert driver.poll() is None, "the first one waits"
    os.killpg(driver.pid, signal.SIGINT)
    stdout, stderr = driver.communicate(timeout=90)  # the items take 100 s
    assert driver.returncode == 130, stderr
    assert json.loads(stdout)["unfinished"] == 4
    assert "Traceback" not in stderr
