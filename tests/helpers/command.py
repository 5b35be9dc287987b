"""The command line as a person runs it: in a process of its own, or, to save its start, in this one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lpff_ray.cli.main import main

REPOSITORY = Path(__file__).resolve().parents[2]


def environment(**changes: str) -> dict[str, str]:
    """This process's, without what a surrounding Ray job or run_cluster.sh may have set."""
    foreign = ("RAY_", "LPFF_RAY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    return kept | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | changes


def start(*arguments: object, env: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:
    """Begin `lpff-ray ARGUMENTS...`, its standard streams as pipes."""
    command = [sys.executable, "-m", "lpff_ray", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment(**(env or {})), **{**pipes, **options})


def run(
    *arguments: object, timeout_s: float = 100.0, env: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """`lpff-ray ARGUMENTS...` to its end. A traceback on either stream, or a hang, fails the test."""
    process = start(*arguments, env=env, **options)
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert "Traceback" not in out + err, out + err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def wait_until(process: subprocess.Popen[str], ready: Callable[[], bool], patience_s: float = 60.0) -> None:
    """Until a running process has got so far. That it ends before, or takes longer, fails the test."""
    until = time.monotonic() + patience_s
    while not ready():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "no progress"
        time.sleep(0.005)


def call(
    *arguments: object, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """`lpff-ray ARGUMENTS...` within this process. An exception that reaches the top fails the test."""
    command = ["lpff-ray", *map(str, arguments)]
    out, err, before = io.StringIO(), io.StringIO(), Path.cwd()
    os.chdir(cwd or before)
    try:
        with (
            patch.object(sys, "argv", command),
            patch.dict(os.environ, environment(**(env or {})), clear=True),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        os.chdir(before)
    assert isinstance(code, int)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that explains exit code 2. Lines of progress may stand before it."""
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("lpff-ray: ")]
    assert len(said) == 1, done.stderr
    assert lines[-1] == said[0], done.stderr
    assert all(line.startswith(("planning ", "mined ", "stopping: ")) for line in lines[:-1]), done.stderr
    return said[0].removeprefix("lpff-ray: ")
