"""The tracks that a selection touches, as reviewers cut them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from clips import write_clip
from handmade import decided
from tracked import SELECTION, Track, tracked_run

import lpff_ray
from lpff_ray.exports.formats.reenactment import categories, head_turns
from lpff_ray.exports.lists.tracks import track_faces, track_number


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One track, a face at every fifth of 60 frames; all faces selected."""
    clip = write_clip(tmp_path / "a.mp4", 60, size=(64, 64))
    return tracked_run(tmp_path / "run", [Track(clip, range(0, 60, 5), selected=12)])


def tracks_of(run: Path) -> dict[str, list[int]]:
    """Frames by the number of the track."""
    faces = track_faces(str(run), lpff_ray.selection(str(run), SELECTION), ("pose_bin",))
    found = faces.group_by("track", maintain_order=True).agg("frame_index", pl.col("video_id").first())
    return {track_number(track, video): frames for track, frames, video in found.iter_rows()}


def face_at(run: Path, *frames: int) -> list[str]:
    faces = lpff_ray.scan(str(run)).filter(pl.col("frame_index").is_in(frames)).select("face_id").collect()
    return faces["face_id"].to_list()


def test_a_track_ends_where_a_face_was_rejected_or_split_off(run: Path) -> None:
    assert tracks_of(run) == {"00000-0": list(range(0, 60, 5))}
    decided(
        run,
        {"action": "decide", "faces": face_at(run, 15, 20), "decision": "reject"},
        {"action": "split", "faces": face_at(run, 50, 55), "identity": "id-other"},
    )
    assert tracks_of(run) == {"00000-0": [0, 5, 10], "00000-0.1": [25, 30, 35, 40, 45], "00000-0.2": [50, 55]}


def test_a_reviewers_bin_counts_in_what_is_said_of_a_track(run: Path) -> None:
    decided(run, {"action": "move", "faces": face_at(run, *range(0, 40, 5)), "bin": "profile_left"})
    faces = track_faces(str(run), lpff_ray.selection(str(run), SELECTION), ("pose_bin", "yaw", "pitch"))
    assert head_turns(faces)["tag"] == "extreme"
    assert categories(faces, [0, 35, 40]) == ["extreme", "extreme", "frontal"]
