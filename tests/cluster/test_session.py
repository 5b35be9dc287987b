"""Connecting to a cluster, and the errors of that."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray

from cluster.session import _WithoutRaylet, marker_in, session
from lpff_ray.errors import UserError


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
