"""Failures by cause: what differs between two messages of one cause, and how causes are counted and ordered."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from clips import write_clip

from lpff_ray.config import MineConfig
from lpff_ray.errors import Failure, UserError
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.segment import segments
from lpff_ray.tables.failure_causes import failure_causes, grouped, normalised
from lpff_ray.tables.run import Run


@pytest.mark.parametrize(
    ("one", "other", "cause"),
    [
        ("not done after 60 s", "not done after 120.5 s", "not done after N s"),
        ("/data/a b/x.mp4: gone", "/data/a c/y.mp4: gone", None),
        ("no such file: '/a/x.mp4'", "no such file: '/b/c/y.webm'", "no such file: 'PATH'"),
        ("s3://bucket/x.mp4: denied", "gs://other/y.mp4 denied", None),
        ("s3://b/x.mp4 denied", "gs://other/y/z.mp4 denied", "PATH denied"),
        ("frame 17 of 01feda9d9ca27a99-00003", "frame 4 of 6590845f4af9386c-00000b", "frame N of ID"),
        ("at 0x7f3b22a10ae0", "at 0x7f3b22a10af8", "at N"),
        ("yaw is nan", "yaw is nan", "yaw is nan"),
        ("list index out of range", "list index out of range", "list index out of range"),
    ],
)
def test_messages_of_one_cause_are_the_same(one: str, other: str, cause: str | None) -> None:
    if cause is not None:
        assert normalised(one) == normalised(other) == cause
    assert normalised(normalised(one)) == normalised(one), "a cause is its own cause"


def test_another_cause_stays_another_cause() -> None:
    messages = [
        "no face in frame 3",
        "no faces in frame 3",
        "float32 expected",
        "float64 expected",
        "model2.onnx",
    ]
    assert len(set(map(normalised, messages))) == len(messages)


def attempts(*rows: tuple[str, str, str, str]) -> pl.DataFrame:
    """Failed attempts of (item, message, outcome, traceback)."""
    given = {"uri": "/v/a.mp4", "stage": "decode", "kind": "ValueError", "log": "logs/failures-1.jsonl"}
    return pl.DataFrame(
        [
            {**given, "item": item, "message": message, "outcome": outcome, "traceback": traceback}
            for item, message, outcome, traceback in rows
        ],
        schema_overrides={"message": pl.String},
    )


def test_the_most_frequent_cause_comes_first_and_shows_an_attempt_that_kept_its_traceback() -> None:
    often, seldom = grouped(
        attempts(
            ("s", "no index", "quarantined", ""),
            ("a", "bad packet 1", "retried", ""),
            ("a", "bad packet 2", "quarantined", "Traceback: second"),
            ("b", "bad packet 3", "retried", ""),
        )
    )
    assert (often.message, often.count, often.items, often.quarantined) == ("bad packet N", 3, 2, 1)
    assert (often.example, often.traceback) == ("bad packet 2", "Traceback: second")
    assert (seldom.message, seldom.count, seldom.quarantined) == ("no index", 1, 1)


def test_logs_and_the_quarantine_table_are_read_together(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 50)
    run = Run(str(tmp_path / "out"), MineConfig(every=10, segment_seconds=1)).begin()
    videos = plan_videos([Source(str(clip))])
    run.commit_plan(videos)
    first, second = segments(videos[0], 1)
    for segment in (first, second):
        run.commit_quarantine(segment, Failure("decode", "Timeout", "not done after 60 s", "pyav"), 4)
    assert [(cause.count, cause.log) for cause in failure_causes(run.folder.root)] == [(2, "")], "no logs yet"
    row = {
        **{"time": "2026-01-01T00:00:00Z", "item": first.segment_id, "uri": str(clip), "stage": "decode"},
        **{"kind": "Timeout", "message": "not done after 30 s", "attempt": 1, "decoder": "pyav"},
        **{"worker": "w", "outcome": "retried", "traceback": "Traceback: here"},
    }
    run.folder.commit("logs/failures-1.jsonl", json.dumps(row).encode() + b"\n")
    (cause,) = failure_causes(run.folder.root)
    assert (cause.count, cause.items, cause.quarantined) == (2, 2, 1), (
        "one from the log, one it does not know"
    )
    assert (cause.traceback, cause.log, cause.uri) == ("Traceback: here", "logs/failures-1.jsonl", str(clip))


def test_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run here"):
        failure_causes(str(tmp_path))
