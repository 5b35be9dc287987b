"""Connecting to a cluster, and the errors of that."""

from __future__ import annotations

import io
import os
import socket
import subprocess
from pathlib import Path

import pytest
import ray

from cluster.session import _WithoutRaylet, marker_in, session
from lpff_ray.errors import UserError


def test_unreachable_address_is_one_line_and_ray_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Ray itself tries for minutes and prints a page; one attempt to connect says it at once."""
    tried: list[float] = []

    def connect(where: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(timeout)
        return create_connection(where, timeout)

    create_connection = socket.create_connection
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **options: pytest.fail("Ray was asked"))
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(UserError) as raised, session("127.0.0.1:1"):
        pass
    assert str(raised.value).startswith("--address 127.0.0.1:1: no Ray cluster answers there")
    assert "\n" not in str(raised.value)
    assert len(tried) == 1
    assert tried[0] <= 30
    assert capfd.readouterr() == ("", "")


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
    ended = subprocess.Popen(["true"])
    ended.wait()
    here = socket.gethostname()
    old, young = tmp_path / ".visible-elsewhere-1-a", tmp_path / ".visible-elsewhere-1-b"
    killed, running = (
        tmp_path / f".visible-{here}-{ended.pid}-c",
        tmp_path / f".visible-{here}-{os.getppid()}-d",
    )
    for marker in (old, young, killed, running):
        marker.touch()
    os.utime(old, (0, 0))
    with marker_in(str(tmp_path)):
        pass
    assert set(tmp_path.iterdir()) == {young, running}, "those may be other drivers'"


def test_marker_of_places_that_are_no_folder(tmp_path: Path) -> None:
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
