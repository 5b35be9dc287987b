"""What killed a worker costs its own video, and little of it; everything else is mined."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from odd_worker import segment
from pooled import Pooled, pooled

from lpff_ray.decode.frame_source import NS
from lpff_ray.errors import Failure
from lpff_ray.plan.segment import Segment
from lpff_ray.run.faults.suspects import Suspects
from lpff_ray.run.lease import Lease
from lpff_ray.run.mine import POLICY

Mine = Callable[..., Pooled]
COUNT = 6


@pytest.fixture
def mine(local_node: None, tmp_path: Path) -> Mine:
    """Have an actor of two threads work on segments."""
    return functools.partial(pooled, "ray", tmp_path, workers=1)


def pieces(name: str, *deeds: str) -> list[Segment]:
    """Segments of 10 s of one video, each with its deed."""
    whole = segment(name, "ok", seconds=10.0 * len(deeds))
    return [
        replace(
            whole,
            segment_id=f"{name}-{index:05d}",
            video=replace(whole.video, uri=deed),
            index=index,
            start_ns=10 * NS * index,
            end_ns=10 * NS * (index + 1),
        )
        for index, deed in enumerate(deeds)
    ]


@pytest.mark.ray
def test_a_video_that_kills_every_worker_is_given_up_whole(mine: Mine) -> None:
    """A clip of a few segments was begun 15 to 18 times."""
    bad = pieces("bad", *["exit"] * COUNT)
    good = [segment(f"v{i}", "sleep:0.2") for i in range(4)]
    run = mine([*good[:2], *bad, *good[2:]])
    assert run.done() == {"v0", "v1", "v2", "v3"}
    assert {name.rstrip("ab") for name, *_ in run.given_up} == {one.segment_id for one in bad}
    assert len(run.attempts("bad")) <= 6, "two beside each other, then four alone"
    assert run.text.count("bad is given up: it alone cost 4 miners; the last: the worker died") == 1
    assert all(attempt == 1 for i in range(4) for attempt, _ in run.attempts(f"v{i}"))


@pytest.mark.ray
def test_one_bad_segment_costs_its_video_nothing_else(mine: Mine) -> None:
    run = mine([*pieces("film", "ok", "exit", "ok", "ok"), segment("other", "ok")])
    assert {name for name, *_ in run.given_up} == {"film-00001a", "film-00001b"}
    done = {path.stem for path in run.out.glob("*.done")}
    assert done == {"film-00000", "film-00002", "film-00003", "other-00000"}
    assert run.attempts("film-00001")[-4:] == [(1, "auto"), (2, "pyav"), (3, "pyav"), (3, "pyav")]


@pytest.mark.ray
def test_a_memory_balloon_meets_the_bound_of_its_worker(mine: Mine) -> None:
    """It was begun 42 times, and took the node's memory."""
    run = mine(
        [*pieces("balloon", *["balloon"] * 3), segment("v", "sleep:0.2")], most_mb=800.0, most_losses=2
    )
    assert run.done() == {"v"}
    assert len(run.attempts("balloon")) <= 4
    assert "the worker took more memory than it may: " in run.text
    assert "of 800 MiB" in run.text


FAILURE = Failure("process", "ActorDied", "the worker died")


def names(leases: list[Lease[Segment]]) -> list[str]:
    return [lease.item.segment_id for lease in leases]


def test_the_rest_of_a_suspected_video_waits_until_its_guilt_is_known() -> None:
    first, second, third = (Lease(one) for one in pieces("v", "ok", "ok", "ok"))
    other = Lease(segment("w", "ok"))
    suspects: Suspects[Segment] = Suspects(POLICY, 4)
    assert not suspects.holds(second)
    suspects.suspect([first, other])
    assert suspects.holds(second)
    assert suspects.next(soon=True, idle=False, handles=()) == first
    assert names(suspects.ended(first, completed=True)) == ["v-00001"], "innocent: the others go on"
    assert not suspects.holds(third)
    assert suspects.next(soon=True, idle=False, handles=()) == other


def test_a_decoder_that_reads_what_another_died_of_reads_the_rest_of_the_video() -> None:
    first, second, third = (Lease(one) for one in pieces("v", "ok", "ok", "ok"))
    suspects: Suspects[Segment] = Suspects(POLICY, 4)
    suspects.suspect([first, second])
    assert suspects.next(soon=True, idle=False, handles=()) == first
    suspects.blame(first)
    assert suspects.holds(third)
    (retry,) = POLICY.retry(first, FAILURE)
    assert (retry.attempt, retry.decoder) == (2, "pyav")
    suspects.later.appendleft(retry)
    assert suspects.next(soon=True, idle=False, handles=()) is None, "not while others wait"
    assert suspects.next(soon=False, idle=True, handles=()) == retry
    suspects.ended(retry, completed=True)
    for lease in (second, third):
        tried = suspects.next(soon=False, idle=True, handles=())
        assert tried == replace(lease, decoder="pyav")
    assert not len(suspects)
    assert not suspects.is_lost(first)
