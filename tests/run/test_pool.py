"""The worker pool: every failure ends alike, whichever executor carries the pool out."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
from odd_worker import Unmakeable, segment
from pooled import Pooled, pooled

from lpff_ray.errors import UserError
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.log_file import LogFile

Work = Callable[..., Pooled]


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def work(request: pytest.FixtureRequest, tmp_path: Path) -> Work:
    """Have a pool work on segments: two threads that share a worker, or one actor of two threads."""
    if request.param == "ray":
        request.getfixturevalue("local_node")
    return functools.partial(pooled, request.param, tmp_path, workers=2 if request.param == "local" else 1)


def failures(out: Path) -> str:
    """What the failure log holds."""
    return "".join(path.read_text() for path in sorted((out / "logs").glob("failures-*.jsonl")))


def test_a_bug_is_retried_and_then_given_up_with_its_traceback(work: Work, tmp_path: Path) -> None:
    photo = segment("bug", "raise", kind="photo")
    found = work([photo, segment("once", "raise-first"), *(segment(f"v{i}", "ok") for i in range(4))])
    assert found.given_up == [("bug-00000", "ZeroDivisionError", 2)]
    assert found.attempts("bug") == [(1, "auto"), (2, "auto")]
    assert found.attempts("once") == [(1, "auto"), (2, "auto")]
    assert found.done() == {"once", "v0", "v1", "v2", "v3"}
    assert (found.report.completed, found.report.retries, found.report.given_up) == (5, 2, 1)
    assert (found.report.broken, found.report.died, found.report.unfinished) == (0, 0, 0)
    assert "in run\\n" in failures(tmp_path)
    assert "ZeroDivisionError: a bug in the worker" in failures(tmp_path)


def test_a_failure_that_the_worker_tells_goes_through_the_retry_steps(work: Work) -> None:
    found = work([segment("odd", "decord-fails")])
    assert found.attempts("odd") == [(1, "auto"), (2, "decord"), (3, "pyav")]
    assert found.report.retries == 2


def test_an_item_is_given_up_with_its_first_cause(work: Work, tmp_path: Path) -> None:
    found = work([segment("odd", "fails-anew")])
    assert sorted(found.given_up) == [("odd-00000a", "Attempt1", 4), ("odd-00000b", "Attempt1", 4)]
    assert all(f"Attempt{number}" in failures(tmp_path) for number in (1, 2, 3, 4)), "the log has them all"


def test_a_broken_worker_is_replaced_and_no_segment_pays(work: Work) -> None:
    found = work([segment("b", "breaks-first"), *(segment(f"v{i}", "sleep:0.1") for i in range(6))])
    assert found.done() == {"b", *(f"v{i}" for i in range(6))}
    assert found.report.broken == 1
    assert (found.report.given_up, found.report.retries) == (0, 0), "the segment is not to blame"
    assert all(attempt == 1 for _, attempt, _, _ in found.log)
    assert "is broken, not what it worked on: RuntimeError: CUDA error" in found.text


def test_a_device_that_breaks_every_worker_leaves_the_pool(work: Work, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="taken out of the pool: 2 miners failed their self-test on it"):
        work([segment("bad", "breaks"), *(segment(f"v{i}", "breaks") for i in range(20))])
    assert not list(tmp_path.glob("*.done"))
    assert '"quarantined"' not in failures(tmp_path), "nothing is given up: the next run goes on"
    assert len((tmp_path / "log").read_text().splitlines()) <= 4, "not four attempts at every segment"


def test_a_full_disk_ends_the_job(work: Work) -> None:
    with pytest.raises(UserError, match="no space left on device"):
        work([segment("full", "user-error"), *(segment(f"v{i}", "sleep:0.2") for i in range(30))])


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ImportError("libdecord.so: cannot open"), "no miner can be started on .*ImportError: libdecord.so"),
        (UserError("models are missing: run lpff-ray doctor"), "^models are missing"),
    ],
)
def test_a_worker_that_can_not_be_made(work: Work, error: Exception, message: str) -> None:
    with pytest.raises(UserError, match=message):
        work([segment("v", "ok")], make_worker=functools.partial(Unmakeable, error), starts=1)


@pytest.mark.parametrize("root", ["{tmp_path}", "memory://logs-of-test-pool"])
def test_a_log_is_bounded_and_whole(root: str, tmp_path: Path) -> None:
    folder = Folder(root.format(tmp_path=tmp_path))
    log = LogFile(folder, "logs/a.jsonl", most_bytes=100)
    for number in range(50):
        log.append(f"line {number}")
    log.close()
    lines = (folder.read("logs/a.jsonl") or b"").decode().splitlines()
    assert lines[0] == "line 0"
    assert lines[-1] == f'{{"dropped": {50 - len(lines) + 1}}}'
    assert sum(len(line) + 1 for line in lines[:-1]) <= 100
