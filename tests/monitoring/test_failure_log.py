"""The failure log: every attempt once, tracebacks once, and readable when its bound cut it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lpff_ray.config import MineConfig
from lpff_ray.errors import Failure
from lpff_ray.monitoring.failure_log import FailureLog
from lpff_ray.run.lease import Lease
from lpff_ray.storage import log_file
from lpff_ray.storage.folder import Folder
from lpff_ray.tables.failures import read_failures
from lpff_ray.tables.run import Run


def failure(traceback: str) -> Failure:
    return Failure("measure", "KeyError", "left_eye", "pyav", traceback)


@pytest.fixture
def out(tmp_path: Path) -> str:
    Run(str(tmp_path / "out"), MineConfig()).begin()
    return str(tmp_path / "out")


def test_a_traceback_stands_once_and_is_read_for_every_attempt(out: str) -> None:
    log = FailureLog(Folder(out), str, lambda item: f"/{item}.mp4")
    log.retried(Lease("a"), failure("one"), [Lease("a", 2)])
    log.given_up(Lease("a", 2), failure("one"))
    log.given_up(Lease("b"), failure("two"))
    log.given_up(Lease("c"), failure(""))
    log.close()
    lines = [json.loads(line) for line in (Folder(out).read(log.name) or b"").splitlines()]
    assert [line.get("same_as") for line in lines] == [None, 0, None, None]
    found = read_failures(out)
    assert found["traceback"].to_list() == ["one", "one", "two", ""]
    assert found["outcome"].to_list() == ["retried", "quarantined", "quarantined", "quarantined"]
    assert found["uri"].to_list() == ["/a.mp4", "/a.mp4", "/b.mp4", "/c.mp4"]
    assert set(found["log"]) == {log.name}


def test_a_log_that_is_full_is_still_read(out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short repetition found room where the line with its traceback had not: reading ended with an IndexError."""
    monkeypatch.setattr(log_file.LogFile.__init__, "__defaults__", (600,))
    log = FailureLog(Folder(out), str, str)
    log.given_up(Lease("a"), failure("x" * 1000))
    log.given_up(Lease("b"), failure("x" * 10))
    log.given_up(Lease("c"), failure("x" * 1000))
    log.given_up(Lease("d"), failure("x" * 10))
    log.close()
    assert read_failures(out)["item"].to_list() == ["b", "d"]
    assert read_failures(out)["traceback"].to_list() == ["x" * 10] * 2
