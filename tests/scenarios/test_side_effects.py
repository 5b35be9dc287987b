"""What a caller's process has after the product worked in it: the threads, streams, handlers and settings of before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import environment

from lpff_ray.cli.demo_clip import DemoClip

BEFORE = """
import asyncio, json, logging, os, signal, sys, threading
import cv2, polars, threadpoolctl, torch  # polars sets a variable for its allocator
import scipy.linalg  # its own BLAS
import lpff_ray
if "ray" in sys.argv[1:]:
    import ray

clip, out = sys.argv[1:3]
config = lpff_ray.MineConfig(every=25)

# Neither one thread nor as many as the machine has.
torch.set_num_threads(3)
cv2.setNumThreads(3)
threadpoolctl.threadpool_limits(3)
signal.signal(signal.SIGINT, lambda number, frame: None)
signal.signal(signal.SIGTERM, lambda number, frame: None)
logging.getLogger().addHandler(logging.NullHandler())
logging.getLogger().setLevel("ERROR")
logging.getLogger("lpff_ray").setLevel("WARNING")
os.environ["OF_THE_CALLER"] = "1"


def logger(name):
    found = logging.getLogger(name)
    return [found.level, found.propagate, found.disabled, [id(handler) for handler in found.handlers]]


def state():
    pools = {pool["filepath"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
    return {
        "torch": torch.get_num_threads(),
        "cv2": cv2.getNumThreads(),
        "pools": {path: threads for path, threads in pools.items() if path in known},
        "streams": [id(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "signals": [id(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)],
        "loggers": {name: logger(name) for name in (None, "ray", "lpff_ray", "cluster", "actors")},
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "excepthook": [id(sys.excepthook), id(threading.excepthook)],
        "threads": sorted(thread.name for thread in threading.enumerate()),
    }


known = {pool["filepath"] for pool in threadpoolctl.threadpool_info()}
before = state()
"""
AFTER = """
print(json.dumps([before, state()]))
"""


# BLAS does not take more threads than it began with.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "3")


def ran(work: str, *arguments: object) -> str:
    """The standard output of a program that does `work` between BEFORE and AFTER."""
    command = [sys.executable, "-c", BEFORE + work + AFTER, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, env=environment(**THREADS))
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_unchanged(output: str) -> None:
    before, after = json.loads(output.splitlines()[-1])
    assert before["torch"] == before["cv2"] == 3
    assert 3 in before["pools"].values(), "some library's pool can tell"
    for name, value in before.items():
        assert after[name] == value, name


@pytest.mark.parametrize("executor", ["local", pytest.param("ray", marks=pytest.mark.ray)])
def test_nothing_of_the_callers_is_changed(demo_clip: DemoClip, tmp_path: Path, executor: str) -> None:
    work = f"""
summary = lpff_ray.mine(clip, out, config, executor="{executor}", workers=2)
assert summary.faces == 4, summary
lpff_ray.dedupe(out, executor="{executor}", workers=2)
lpff_ray.select(out, "all", "uniform")
lpff_ray.export(out, "all", "stylegan", out + "-export", executor="{executor}", workers=2)
"""
    assert_unchanged(ran(work, demo_clip.path, tmp_path / "out", executor))


def test_mining_that_fails_changes_nothing_either(demo_clip: DemoClip, tmp_path: Path) -> None:
    work = """
try:
    lpff_ray.mine(clip, out, config, device="cuda:77")
except lpff_ray.UserError:
    pass
else:
    raise AssertionError("there is no such device")
"""
    assert_unchanged(ran(work, demo_clip.path, tmp_path / "out"))


def test_mining_inside_a_running_event_loop(demo_clip: DemoClip, tmp_path: Path) -> None:
    """As in a notebook, whose cells run inside one."""
    work = """
async def cell():
    return lpff_ray.mine(clip, out, config, workers=2)

assert asyncio.run(cell()).faces == 4
"""
    assert_unchanged(ran(work, demo_clip.path, tmp_path / "out"))


def test_mining_from_another_thread(demo_clip: DemoClip, tmp_path: Path) -> None:
    """Only the main thread may set signal handlers."""
    work = """
found = []
thread = threading.Thread(target=lambda: found.append(lpff_ray.mine(clip, out, config, workers=2)))
thread.start()
thread.join()
assert found[0].faces == 4
"""
    assert_unchanged(ran(work, demo_clip.path, tmp_path / "out"))


def test_a_log_gets_lines(demo_clip: DemoClip, tmp_path: Path) -> None:
    code = "import sys, lpff_ray; lpff_ray.mine(*sys.argv[1:3], lpff_ray.MineConfig(every=25), workers=1)"
    command = [sys.executable, "-c", code, str(demo_clip.path), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, env=environment())
    assert done.stdout == ""
    assert "mined 1/1 segments, 4 faces" in done.stderr.splitlines()[-1]
    assert "\x1b" not in done.stderr
