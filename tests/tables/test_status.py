"""The state of a run as plain values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clips import write_clip

from lpff_ray.config import MineConfig
from lpff_ray.errors import Failure, UserError
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.segment import segments
from lpff_ray.tables.run import Run
from lpff_ray.tables.status import Problem, status


def test_a_finished_run(demo_run: Path) -> None:
    found = status(str(demo_run))
    assert (found.segments_planned, found.segments_done, found.quarantined) == (1, 1, 0)
    assert found.videos == {"done": 1}
    assert found.frames == found.faces == 20
    assert found.frames_per_second == pytest.approx(found.frames / found.seconds)
    total = {stage.stage: stage for stage in found.stages}["total"]
    assert total.seconds == pytest.approx(found.seconds)
    assert total.ms_per_frame == pytest.approx(1e3 * found.seconds / 20)
    assert found.problems == ()


def test_a_run_that_has_only_failed_so_far(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 50)
    (tmp_path / "text.mp4").write_text("no video")
    run = Run(str(tmp_path / "out"), MineConfig(every=10, segment_seconds=1)).begin()
    videos = plan_videos([Source(str(clip)), Source(str(tmp_path / "text.mp4"))])
    run.commit_plan(videos)
    planned = segments(next(video for video in videos if video.uri == str(clip)), 1)
    run.commit_quarantine(planned[0], Failure("decode", "Timeout", "not done after 60 s", "pyav"), 4)
    found = status(run.folder.root)
    assert (found.segments_planned, found.segments_done, found.quarantined) == (2, 0, 1)
    assert (found.seconds, found.frames_per_second, found.stages) == (0.0, 0.0, ())
    unreadable, given_up = found.problems
    assert unreadable.uri == str(tmp_path / "text.mp4")
    assert given_up == Problem(
        str(clip), f"{planned[0].segment_id} at decode", "Timeout: not done after 60 s"
    )
    assert json.loads(json.dumps(found.to_dict()))["problems"][1]["why"] == "Timeout: not done after 60 s"


def test_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run here"):
        status(str(tmp_path))
