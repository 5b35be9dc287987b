"""The plan of real files: what each is, and which are the same."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from PIL import Image

from lpff_ray.decode.frame_table import read_frame_table
from lpff_ray.plan.crop import Crop
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.sampling import wanted_indices
from lpff_ray.plan.segment import Segment, segments
from lpff_ray.plan.sources import expand


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames of 64 x 48 pixels at 25 fps: 2.4 s, keyframes every 12."""
    return write_clip(tmp_path_factory.mktemp("plan") / "clip.mp4", 60, gop=12)


def test_rows_keep_the_order_and_no_neighbour_is_lost(tmp_path: Path, clip: Path) -> None:
    shutil.copy(clip, tmp_path / "b.mp4")
    shutil.copy(clip, tmp_path / "d 100% é.mp4")
    (tmp_path / "a.mp4").write_text("not a video")
    (tmp_path / "c.txt").write_text("b.mp4")
    Image.new("RGB", (40, 30), "red").save(tmp_path / "e.png")
    sources = [*expand([str(tmp_path)]), Source(str(tmp_path / "gone.mp4")), Source("nope://x.mp4")]
    ticks: list[tuple[int, int]] = []
    videos = plan_videos(sources, on_progress=lambda done, total: ticks.append((done, total)))
    assert [video.uri for video in videos] == [source.uri for source in sources]
    bad, first, text, second, photo, gone, nope = videos
    assert (first.status, first.kind, first.width, first.height) == ("planned", "video", 64, 48)
    assert (first.fps, first.frames_expected) == (pytest.approx(25), 60)
    assert first.duration_s == pytest.approx(2.4, abs=0.05)
    assert (second.status, second.duplicate_of, second.video_id) == ("duplicate", first.uri, first.video_id)
    assert (photo.status, photo.kind, photo.width) == ("planned", "photo", 40)
    assert text.status == "not_media"
    assert {video.status for video in (bad, gone, nope)} <= {"unreadable", "not_media"}
    assert all(video.reason for video in videos if video.status != "planned")
    assert all(video.video_id for video in videos)
    assert ticks == [(done, 7) for done in range(1, 8)]
    assert videos == plan_videos(sources, workers=1)


def test_clips_of_one_file_never_collide(clip: Path) -> None:
    uri = str(clip)
    sources = [
        Source(uri),
        Source(uri, start_s=0.0),
        Source(uri, end_s=1.0, clip_id="a"),
        Source(uri, start_s=1.0),
        Source(uri, end_s=1.0, clip_id="b"),
        Source(uri, end_s=1.0, crop=Crop.of((0, 0, 0.5, 0.5))),
        Source(uri, crop=Crop.of((0, 0, 0.5, 0.5))),
        Source(uri, crop=Crop.of((0, 0, 32, 24))),
    ]
    videos = plan_videos(sources)
    assert [video.status for video in videos] == [
        "planned", "duplicate", "planned", "planned", "duplicate", "planned", "planned", "planned"
    ]  # fmt: skip
    base = videos[0].video_id
    assert len({video.video_id for video in videos}) == 6
    assert all(video.video_id.startswith(base) for video in videos)
    assert {len(video.video_id) for video in videos[2:]} == {16 + 1 + 8}
    assert [video.clip_id for video in videos][2:5] == ["a", "", "b"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ({"start_s": 12.0}, "clip starts at 12.0 s but the video lasts 2.4 s"),
        ({"crop": Crop.of((64, 0, 70, 10))}, "lies outside the frame of 64 x 48 pixels"),
        ({"crop": Crop.of((-0.5, 0, 0.0, 1))}, "lies outside the frame"),
        ({"start_s": 2.0, "end_s": 99.0}, ""),
        ({"crop": Crop.of((-5, -5, 999, 20))}, ""),
    ],
)
def test_spans_and_crops_are_checked(clip: Path, source: dict, reason: str) -> None:
    (video,) = plan_videos([Source(str(clip), **source)])
    assert video.status == ("unreadable" if reason else "planned")
    assert reason in video.reason
    if "crop" in source and not reason:
        assert video.crop == (0, 0, 64, 20)


def test_names_that_are_not_utf8_can_be_written_to_a_table(tmp_path: Path) -> None:
    (video,) = plan_videos([Source(str(tmp_path) + "/\udcff.mp4")])
    assert video.uri.encode().endswith(b"/\\udcff.mp4")
    assert video.status == "unreadable"


@pytest.mark.data
def test_the_shared_clips_all_plan(shared_data: Path) -> None:
    videos = plan_videos(expand([str(shared_data / "videos")]))
    assert Counter(video.status for video in videos) == {"planned": 23, "not_media": 1}
    for video in videos[:-1]:
        pts = read_frame_table(video.uri).pts_ns
        assert (len(pts), pts[0]) == (video.frames_expected, video.first_pts_ns)
        cuts = segments(video, 2.0)
        assert len(cuts) >= int(video.duration_s / 4)
        for grid in ((None, None), (5, None), (None, 7.0)):
            parts = [wanted_indices(pts, cut, *grid) for cut in cuts]
            assert np.array_equal(
                np.concatenate(parts), wanted_indices(pts, Segment("v", video, 0, None, None), *grid)
            )
            assert all(len(part) for part in parts)
