"""`lpff-ray mine`, as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import call, complaint

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.errors import Failure
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.segment import segments
from lpff_ray.tables.run import Run


def test_quarantine_above_the_threshold_is_exit_code_1(clip: Path, tmp_path: Path) -> None:
    config = MineConfig(every=10, segment_seconds=2)
    given_up = Run(str(tmp_path / "out"), config).begin()
    videos = plan_videos([Source(str(clip))])
    given_up.commit_plan(videos)
    failure = Failure("process", "ActorDied", "the worker died", "decord")
    given_up.commit_quarantine(segments(videos[0], 2)[0], failure, 4)
    command = ("mine", clip, "--out", tmp_path / "out", "--every", "10", "--segment-seconds", "2")
    assert call(*command, "--max-quarantine", "0.4").returncode == 1
    assert call(*command, "--max-quarantine", "0.5").returncode == 0
    assert call(*command).returncode == 1
    status = lpff_ray.videos(str(tmp_path / "out")).row(0, named=True)
    assert (status["status"], status["reason"]) == ("partial", "the worker died")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("evry = 5\n", ["evry"]),
        ("every = 0\n", ["every"]),
        ("every = [\n", ["not a readable TOML file"]),
        (None, ["no such configuration file"]),
    ],
)
def test_a_bad_run_file_is_named_with_its_setting(
    clip: Path, tmp_path: Path, text: str | None, expected: list[str]
) -> None:
    path = tmp_path / "run.toml"
    if text is not None:
        path.write_text(text)
    said = complaint(call("mine", clip, "--out", tmp_path / "out", "--config", path))
    for word in [str(path), *expected]:
        assert word in said


def test_flags_win_over_the_run_file(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("fps = 5\nsegment_seconds = 2\nmin_face_px = 40\n")
    options = ("--config", tmp_path / "run.toml", "--every", "50")
    done = call("mine", clip, "--out", tmp_path / "out", *options)
    assert done.returncode == 0
    faces = lpff_ray.scan(str(tmp_path / "out")).collect()
    assert faces["frame_index"].to_list() == [0, 50]
    assert faces["segment_id"].n_unique() == 2


def test_mine_as_json(clip: Path, out: Path) -> None:
    done = call("mine", clip, "--out", out, "--every", "10", "--segment-seconds", "2", "--json")
    result = json.loads(done.stdout)
    assert (result["planned"], result["done_before"], result["mined"]) == (2, 2, 0)
    assert (result["quarantined_share"], result["interrupted"]) == (0.0, False)
    assert result["videos"] == {"planned": 1}
