"""The plan of real files, the cuts, and the sampling grid."""

from __future__ import annotations

import shutil
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lpff_ray.config import MineConfig
from lpff_ray.decode.frame_table import read_frame_table
from lpff_ray.plan.planner import (
    NS,
    TOLERANCE_NS,
    Segment,
    Video,
    estimate,
    plan_videos,
    segments,
    wanted_indices,
)
from lpff_ray.plan.sources import Source, expand


def _video(status: str = "planned", kind: str = "video", **fields: Any) -> Video:
    return Video(video_id="v", uri="/v.mp4", kind=kind, size_bytes=1, status=status, **fields)


def _whole(video: Video) -> Segment:
    return Segment("v", video, 0, None, None)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames of 64 x 48 pixels at 25 fps: 2.4 s, keyframes every 12."""
    return write_clip(tmp_path_factory.mktemp("plan") / "clip.mp4", 60, gop=12)


# --- plan_videos -------------------------------------------------------------------------------------------


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
        Source(uri, end_s=1.0, crop=(0, 0, 0.5, 0.5)),
        Source(uri, crop=(0, 0, 0.5, 0.5)),
        Source(uri, crop=(0, 0, 32, 24)),
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
        ({"crop": (64, 0, 70, 10)}, "lies outside the frame of 64 x 48 pixels"),
        ({"crop": (-0.5, 0, 0.0, 1)}, "lies outside the frame"),
        ({"start_s": 2.0, "end_s": 99.0}, ""),
        ({"crop": (-5, -5, 999, 20)}, ""),
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
            assert np.array_equal(np.concatenate(parts), wanted_indices(pts, _whole(video), *grid))
            assert all(len(part) for part in parts)


# --- segments ----------------------------------------------------------------------------------------------


def _borders(video: Video, seconds: float) -> list[float]:
    """Inner borders in seconds from the first frame."""
    return [((cut.start_ns or 0) - video.first_pts_ns) / NS for cut in segments(video, seconds)[1:]]


def test_borders_snap_to_the_keyframe_behind() -> None:
    keyframes = tuple(round(second * NS) for second in (0, 7, 14, 21, 28, 47, 65))
    video = _video(duration_s=70.0, keyframe_pts_ns=keyframes)
    # 20 -> 21; 40 -> 47; 60 -> 65 would leave a rest of 5 s.
    assert _borders(video, 20) == [21, 47]
    # 10 -> 14; 30 and 50 have no keyframe within 5 s; a border is never later than the next one.
    assert _borders(video, 10) == [14, 21, 30, 40, 50, 65]
    assert _borders(_video(duration_s=70.0), 20) == [20, 40, 60]


def test_first_and_last_stay_open_unless_the_clip_has_a_span() -> None:
    ends = [(cut.start_ns, cut.end_ns) for cut in segments(_video(duration_s=60.0, first_pts_ns=NS), 30)]
    assert ends == [(None, 31 * NS), (31 * NS, None)]
    cuts = segments(_video(duration_s=60.0, first_pts_ns=NS, start_s=10.0, end_s=50.0), 30)
    assert (cuts[0].start_ns, cuts[-1].end_ns) == (11 * NS - TOLERANCE_NS, 51 * NS - TOLERANCE_NS)
    assert [cut.segment_id for cut in cuts] == ["v-00000"]
    assert segments(_video(duration_s=60.0, end_s=999.0), 30)[-1].end_ns is not None


def test_one_segment_where_nothing_can_be_cut() -> None:
    for video in (_video(kind="photo"), _video(), _video(duration_s=10.0), _video(duration_s=44.0)):
        assert [(cut.start_ns, cut.end_ns) for cut in segments(video, 30)] == [(None, None)]
    assert segments(_video(status="unreadable"), 30) == []
    assert segments(_video(status="duplicate", duration_s=99.0), 30) == []


# --- wanted_indices ----------------------------------------------------------------------------------------


@st.composite
def clips(draw: st.DrawFn) -> tuple[np.ndarray, Video]:
    """Frame times with gaps and repeats, and a video whose header may lie about them."""
    steps = draw(
        st.lists(st.sampled_from([0, 1, 20_000_000, 33_366_667, 40_000_000, 900_000_000]), max_size=60)
    )
    first = draw(st.sampled_from([0, -NS, 1_400_000_000]))
    pts = first + np.cumsum([0, *steps], dtype=np.int64)
    length = float(pts[-1] - first) / NS
    start = draw(st.none() | st.floats(0, 5))
    video = _video(
        first_pts_ns=first + draw(st.sampled_from([0, 0, 40_000_000])),
        duration_s=draw(st.sampled_from([0.0, length, length * 1.3, length * 0.5])),
        start_s=start,
        end_s=draw(st.none() | st.floats(0.001, 8).map(lambda more: (start or 0.0) + more)),
        keyframe_pts_ns=tuple(
            sorted({int(t) for t in draw(st.lists(st.sampled_from(list(pts)), max_size=8))})
        ),
    )
    return pts, video


grids = (
    st.tuples(st.integers(1, 7), st.none()) | st.tuples(st.none(), st.floats(0.3, 70)) | st.just((None, None))
)


@settings(max_examples=400, deadline=None)
@given(clips(), grids, st.floats(1, 9), st.integers(0, 60))
def test_any_cutting_gives_what_the_whole_gives(
    clip: tuple[np.ndarray, Video], grid: tuple, seconds: float, middle: int
) -> None:
    pts, video = clip
    cuts = segments(video, seconds)
    ends = [end for cut in cuts for end in (cut.start_ns, cut.end_ns)]
    assert ends[1:-1:2] == ends[2::2]
    assert None not in ends[1:-1]
    inner = [end for end in ends[::2] + ends[-1:] if end is not None]
    assert inner == sorted(set(inner))
    time = int(pts[middle % len(pts)])
    at = max(index for index, cut in enumerate(cuts) if index == 0 or (cut.start_ns or 0) < time)
    if (cuts[at].start_ns or -(2**62)) < time < (cuts[at].end_ns or 2**62):
        cuts[at : at + 1] = cuts[at].halves(time)
    whole = wanted_indices(pts, _whole(video), *grid)
    parts = [wanted_indices(pts, cut, *grid) for cut in cuts]
    assert whole.dtype == np.int64
    assert np.array_equal(np.concatenate(parts), whole)


@settings(max_examples=300, deadline=None)
@given(clips(), st.sampled_from([0.5, 1.0, 5.0, 10.0, 25.0, 40.0, 50.0]))
def test_the_grid_by_time_is_what_it_says(clip: tuple[np.ndarray, Video], fps: float) -> None:
    pts, video = clip
    origin = int(pts[0]) if not video.start_s else video.first_pts_ns + round(video.start_s * NS)
    begin = -(2**62) if not video.start_s else origin - TOLERANCE_NS
    end = 2**62 if video.end_s is None else video.first_pts_ns + round(video.end_s * NS) - TOLERANCE_NS
    span = [(index, int(t)) for index, t in enumerate(pts) if begin <= t < end]
    expected = set()
    for k in range(int((int(pts[-1]) - origin) / NS * fps) + 3):
        time = origin + Fraction(k) / Fraction(fps) * NS - TOLERANCE_NS
        expected |= set([index for index, t in span if t >= time][:1])
    assert wanted_indices(pts, _whole(video), None, fps).tolist() == sorted(expected)


@pytest.mark.parametrize(
    "rate", [Fraction(24000, 1001), 24, 25, Fraction(30000, 1001), 30, 50, Fraction(60000, 1001)]
)
@pytest.mark.parametrize("clock", ["exact", "ns floor", "ms", "ms floor"])
@pytest.mark.parametrize("step", [1, 2, 3, 5, 12])
def test_even_rates_take_every_nth_frame(rate: Fraction | int, clock: str, step: int) -> None:
    tick = 1_000_000 if clock.startswith("ms") else 1
    top, bottom = np.arange(100_000) * NS * Fraction(rate).denominator, Fraction(rate).numerator * tick
    table = (top if clock.endswith("floor") else top + bottom // 2) // bottom * tick  # about an hour
    wanted = wanted_indices(table, _whole(_video()), None, float(Fraction(rate) / step))
    assert np.array_equal(wanted, np.arange(0, 100_000, step))


def test_examples_of_the_grid() -> None:
    pts = np.arange(50, dtype=np.int64) * 40_000_000 + 7
    video = _video(first_pts_ns=7, start_s=0.4, end_s=0.8)
    assert wanted_indices(pts, _whole(_video()), None, 5).tolist() == list(range(0, 50, 5))
    assert wanted_indices(pts, _whole(_video()), 7, None).tolist() == list(range(0, 50, 7))
    assert wanted_indices(pts, _whole(video), None, None).tolist() == list(range(10, 20))
    assert wanted_indices(pts, _whole(video), 4, None).tolist() == [10, 14, 18]
    assert wanted_indices(pts, _whole(video), None, 10).tolist() == [10, 13, 15, 18]
    gap = np.array([0, 1, 2, 900, 901, 1000], np.int64) * 10_000_000
    assert wanted_indices(gap, _whole(_video()), None, 1).tolist() == [0, 3, 5]
    assert wanted_indices(gap[:0], _whole(_video()), None, 1).tolist() == []
    fast = np.arange(9, dtype=np.int64) * 1_000_000
    assert wanted_indices(fast, _whole(_video()), None, 500).tolist() == [0, 2, 4, 6, 8]
    photo = np.zeros(1, np.int64)
    assert wanted_indices(photo, _whole(_video(kind="photo")), None, 0.1).tolist() == [0]


def test_spans_written_with_three_decimals_meet_their_frame() -> None:
    pts = np.array([round(index * NS / 30) for index in range(300)], np.int64)
    for index in range(1, 299):
        video = _video(start_s=round(index / 30, 3), end_s=round((index + 1) / 30, 3))
        assert wanted_indices(pts, _whole(video), None, None).tolist() == [index]


# --- estimate ----------------------------------------------------------------------------------------------


def test_estimate_is_what_will_be_looked_at(clip: Path, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.png")
    uri = str(clip)
    sources = [
        Source(uri),
        Source(uri, start_s=1.0, end_s=2.0),
        Source(str(tmp_path / "photo.png")),
        Source("/gone"),
    ]
    videos = plan_videos(sources)
    table = np.arange(60, dtype=np.int64) * 40_000_000 + videos[0].first_pts_ns
    for config in (MineConfig(), MineConfig(every=7), MineConfig(fps=5), MineConfig(fps=100)):
        counted = sum(
            len(wanted_indices(table, _whole(video), config.every, config.fps)) for video in videos[:2]
        )
        guess = estimate(videos, config, frames_per_second=10.0)
        assert (guess.videos, guess.segments) == (3, 3)
        assert guess.frames == pytest.approx(counted + 1, abs=1)
        assert guess.seconds == pytest.approx(guess.frames / 10)
        assert guess.disk_bytes == guess.frames * 1300
