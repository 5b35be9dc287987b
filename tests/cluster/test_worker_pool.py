"""The worker pool on a real local Ray node, with workers that hang, crash and fail on request."""

from __future__ import annotations

import functools
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from odd_worker import Unmakeable, segment
from pooled import Pooled, pooled

from cluster.worker_pool import RayExecutor
from lpff_ray.errors import UserError

pytestmark = pytest.mark.ray
Mine = Callable[..., Pooled]


@pytest.fixture
def mine(local_node: None, tmp_path: Path) -> Mine:
    """Have `workers` actors of two threads work on segments."""
    return functools.partial(pooled, "ray", tmp_path)


def test_every_segment_is_mined_once(mine: Mine) -> None:
    run = mine([segment(f"v{i}", "sleep:0.1") for i in range(20)])
    assert run.done() == {f"v{i}" for i in range(20)}
    assert Counter(name for name, *_ in run.log) == Counter({f"v{i}-00000": 1 for i in range(20)})
    assert len({pid for *_, pid in run.log}) == 2, "one miner for each pair of the node's four cores"
    assert (run.report.completed, run.report.retries) == (20, 0)
    assert (run.report.given_up, run.report.unfinished, run.report.interrupted) == (0, 0, False)
    assert "mined 20/20 segments, 40 faces" in run.text.splitlines()[-1]


def test_hang_is_killed_and_its_neighbour_survives_at_no_cost(mine: Mine) -> None:
    run = mine([segment("bad", "hang-first"), segment("good", "sleep:1")], workers=1, base_s=6.0)
    assert run.done() == {"bad", "good"}
    # Both were in flight in the killed miner; each was tried alone; only the hanging one went on to attempt 2.
    assert run.attempts("good") == [(1, "auto"), (1, "auto")]
    assert run.attempts("bad") == [(1, "auto"), (1, "auto"), (2, "pyav")]
    assert (run.report.stopped, run.report.retries, run.report.given_up) == (2, 1, 0)


def test_crash_climbs_the_ladder_to_quarantine(mine: Mine) -> None:
    bad = [segment("exits", "exit"), segment("crashes", "segfault", kind="photo")]
    run = mine([*bad, *(segment(f"v{i}", "sleep:0.3") for i in range(6))])
    assert run.done() == {f"v{i}" for i in range(6)}
    assert sorted(run.given_up) == [
        ("crashes-00000", "ActorDied", 2),
        ("exits-00000a", "ActorDied", 3),
        ("exits-00000b", "ActorDied", 3),
    ]
    assert set(run.attempts("exits")) == {(1, "auto"), (2, "pyav"), (3, "pyav")}
    assert all(attempt == 1 for i in range(6) for attempt, _ in run.attempts(f"v{i}")), (
        "innocents pay nothing"
    )
    assert run.report.stopped == 0
    assert "mined 6/9 segments" in run.text.splitlines()[-1]
    assert "3 quarantined" in run.text.splitlines()[-1]


def test_a_failure_that_the_miner_reports_needs_no_new_miner(mine: Mine) -> None:
    run = mine([segment("odd", "decord-fails"), segment("bug", "raise", kind="photo")], workers=1)
    assert run.attempts("odd") == [(1, "auto"), (2, "decord"), (3, "pyav")]
    assert run.given_up == [("bug-00000", "ZeroDivisionError", 2)]
    assert run.report.stopped == run.report.died == 0


def test_miners_are_replaced_by_segments_served_and_by_memory(mine: Mine, tmp_path: Path) -> None:
    run = mine([segment(f"v{i}", "ok") for i in range(6)], workers=1, recycle_after=2)
    assert max(Counter(pid for *_, pid in run.log).values()) <= 3, "two served, one in flight beside them"
    (tmp_path / "log").unlink()
    run = mine([segment(f"b{i}", "ok") for i in range(3)], workers=1, rss_mb=1.0)
    assert len({pid for *_, pid in run.log}) >= 2
    assert run.report.recycled >= 1


def test_photos_do_not_wear_a_miner_out(mine: Mine) -> None:
    run = mine([segment(f"p{i}", "ok", kind="photo") for i in range(10)], workers=1, recycle_after=2)
    assert len({pid for *_, pid in run.log}) == 1


def test_full_disk_ends_the_run_after_draining(mine: Mine, tmp_path: Path) -> None:
    segments = [segment("full", "user-error"), segment("good", "sleep:0.5")]
    with pytest.raises(UserError, match="no space left on device"):
        mine([*segments, *(segment(f"v{i}", "sleep:0.2") for i in range(20))], workers=1)
    assert (tmp_path / "good-00000.done").exists(), "what was in flight may finish"
    assert len((tmp_path / "log").read_text().splitlines()) < 6


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ImportError("libdecord.so: cannot open shared object file"), "no miner can be started.*libdecord"),
        (UserError("models are missing: run lpff-ray doctor"), "^models are missing"),
    ],
)
def test_engine_that_can_not_be_made(mine: Mine, error: Exception, message: str) -> None:
    with pytest.raises(UserError, match=message):
        mine([segment("v", "ok")], workers=1, make_worker=functools.partial(Unmakeable, error), starts=1)


def test_code_that_the_workers_do_not_have(
    mine: Mine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("class Worker:\n    def __init__(self, device): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("only_here", None)
    import only_here

    with pytest.raises(UserError, match=r"no miner can be started.*No module named 'only_here'"):
        mine([segment("v", "ok")], workers=1, make_worker=only_here.Worker, starts=1)


def test_output_that_a_worker_does_not_see(mine: Mine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(RayExecutor):
        """Names a marker that is on no node."""

        def __enter__(self) -> RayExecutor:
            super().__enter__()
            self._marker = "/nowhere/out/.visible-1"
            return self

    monkeypatch.setattr("cluster.worker_pool.RayExecutor", Elsewhere)
    with pytest.raises(UserError, match=r"/nowhere/out is not visible from node .* shared file system"):
        mine([segment("v", "ok")])


def test_engine_that_never_gets_ready(mine: Mine) -> None:
    with pytest.raises(UserError, match="not loaded after 1 s"):
        mine(
            [segment("v", "ok")],
            workers=1,
            start_s=1.0,
            starts=1,
            make_worker=lambda device: time.sleep(60),
        )


def test_placements_leave_the_pool_one_by_one(mine: Mine, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"2 miners failed their self-test on it .*; none is left"):
        mine([segment(f"v{i}", "breaks") for i in range(30)], workers=2, free_retries=30)
    pids = {line.split()[3] for line in (tmp_path / "log").read_text().splitlines()}
    assert len(pids) == 4, "two workers on each of two placements"
    assert not list(tmp_path.glob("*.done"))
