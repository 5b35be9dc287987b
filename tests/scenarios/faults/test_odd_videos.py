"""Videos that careless tools made: every frame is found under its own number, whatever its time, however it is cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clips import paint, read_index, write_clip
from odd_clips import (
    joined,
    numbered_from,
    remux,
    write_avi_in_mp4,
    write_mpeg2,
    write_photos_with_exif,
    write_sizes,
)

from lpff_ray.decode import open_source
from lpff_ray.errors import SegmentError
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.sampling import wanted_indices
from lpff_ray.plan.segment import Segment, segments
from lpff_ray.plan.video import Video
from lpff_ray.run.retry import middle_ns
from lpff_ray.types import VideoStatus

pytestmark = pytest.mark.timeout(120)

DAYS_MS = 3 * 86_400_000
SINCE_1970_MS = 1_790_000_000_000


def _two(folder: Path, ending: str, start_s: float) -> Path:
    clips = [
        write_clip(
            folder / f"{first}{ending}",
            60,
            b_frames=2,
            start_s=start_s * (first > 0),
            picture_of=numbered_from(first),
        )
        for first in (0, 60)
    ]
    return joined(folder / f"joined{ending}", *clips)


def _retimed(folder: Path, times_ms: Callable[[int], int]) -> Path:
    source = write_clip(folder / "plain.mkv", 60)
    return remux(source, folder / "retimed.mkv", lambda number: (times_ms(number), times_ms(number)))


# Name: (how it is made, frames, what the plan says of it)
CASES: dict[str, tuple[Callable[[Path], Path], int, str]] = {
    "avi": (lambda folder: write_clip(folder / "b.avi", 60, b_frames=2), 60, "run backwards"),
    "avi in mp4": (lambda folder: write_avi_in_mp4(folder / "avi.mp4", folder), 60, "run backwards"),
    "joined ts": (lambda folder: _two(folder, ".ts", 0.0), 120, "run backwards"),
    "joined ts, overlapping": (lambda folder: _two(folder, ".ts", 1.0), 120, "run backwards"),
    "joined vob": (
        lambda folder: joined(
            folder / "ab.vob", write_mpeg2(folder / "a.vob", 50), write_mpeg2(folder / "b.vob", 50, 50)
        ),
        100,
        "run backwards",
    ),
    "pairs": (lambda folder: _retimed(folder, lambda number: number // 2 * 80), 60, "are repeated"),
    "all at 0": (lambda folder: _retimed(folder, lambda number: 0), 60, "are repeated"),
    "3 days on": (
        lambda folder: _retimed(folder, lambda number: 40 * number + DAYS_MS * (number > 10)),
        60,
        "jump by 259200 s after 0.4 s",
    ),
    "since 1970": (
        lambda folder: _retimed(folder, lambda number: 40 * number + SINCE_1970_MS * (number > 10)),
        60,
        "can not be true",
    ),
    "fragments": (
        lambda folder: write_clip(
            folder / "fragments.mp4", 60, b_frames=2, muxer_options={"movflags": "frag_keyframe"}
        ),
        60,
        "",
    ),
    "sizes": (lambda folder: write_sizes(folder / "sizes.mp4", folder, [(64, 48), (48, 64)]), 60, ""),
    "photos with EXIF": (lambda folder: write_photos_with_exif(folder / "exif.mov", 6), 6, ""),
    "reserved colour matrix": (
        lambda folder: remux(
            write_clip(folder / "plain.mp4", 60),
            folder / "matrix.mp4",
            bitstream_filter="h264_metadata=matrix_coefficients=3",
        ),
        60,
        "",
    ),
}


@pytest.fixture(scope="module", params=CASES)
def odd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Video, int, str]:
    """An odd video as planned, how many frames it has, and what is to be said of it."""
    make, frames, reason = CASES[request.param]
    (video,) = plan_videos([Source(str(make(tmp_path_factory.mktemp("odd"))))])
    return video, frames, reason


def _cuts(video: Video) -> list[list[Segment]]:
    """The video in one piece, in pieces of a second, in pieces of half a second, and these in halves."""
    short = segments(video, 0.5)
    halved: list[Segment] = []
    for segment in short:
        middle = middle_ns(segment)
        halved.extend([segment] if middle is None else segment.halves(middle))
    return [segments(video, 30), segments(video, 1), short, halved]


def test_the_plan_knows_its_frames(odd: tuple[Video, int, str]) -> None:
    video, frames, reason = odd
    assert (video.status, video.frames_expected) == (VideoStatus.PLANNED, frames)
    assert reason in video.reason
    assert bool(reason) == bool(video.reason)
    assert len(segments(video, 30)) <= 2, "as many as have frames"
    assert video.is_counted == any(word in reason for word in ("backwards", "repeated"))


@pytest.mark.parametrize("every", [1, 5])
def test_every_frame_shows_its_number(odd: tuple[Video, int, str], every: int) -> None:
    video, frames, _ = odd
    for cuts in _cuts(video):
        seen: list[int] = []
        for segment in cuts:
            with open_source(video.uri, "video") as source:
                wanted = wanted_indices(source.table.pts_ns, segment, every, None).tolist()
                shown = {frame.index: read_index(frame.rgb) for frame in source.frames(wanted)}
                assert list(shown) == wanted, "none is missing"
                assert all(index == number for index, number in shown.items())
                seen += wanted
        assert seen == list(range(0, frames, every))


def test_times_ascend_and_fit_the_sampling_rate(odd: tuple[Video, int, str]) -> None:
    video, frames, _ = odd
    with open_source(video.uri, "video") as source:
        pts_ns = source.table.pts_ns
    assert len(pts_ns) == frames
    assert (np.diff(pts_ns) > 0).all()
    (whole,) = segments(video, 1e6)
    wanted = wanted_indices(pts_ns, whole, None, 5.0)
    # 25 frames a second, but for the photos: 5; a pause of days is one step more.
    assert abs(len(wanted) - (frames / 5 if frames > 6 else 6)) <= 1


def test_decord_reads_it_right_or_says_why_not(odd: tuple[Video, int, str]) -> None:
    pytest.importorskip("decord")
    video, frames, _ = odd
    try:
        source = open_source(video.uri, "video", "decord")
    except SegmentError as error:
        if error.failure.kind in ("Unreliable", "DECORDError"):
            return
        raise
    with source:
        assert [read_index(frame.rgb) for frame in source.frames(range(frames))] == list(range(frames))


def test_a_frame_has_its_own_size(tmp_path: Path) -> None:
    path = write_sizes(tmp_path / "sizes.mp4", tmp_path, [(64, 48), (48, 64)])
    with open_source(str(path), "video") as source:
        sizes = [frame.rgb.shape[:2] for frame in source.frames([0, 29, 30, 59])]
    assert sizes == [(48, 64), (48, 64), (64, 48), (64, 48)]


def test_a_reserved_colour_matrix_is_as_good_as_none(tmp_path: Path) -> None:
    plain = write_clip(tmp_path / "plain.mp4", 3)
    reserved = remux(plain, tmp_path / "reserved.mp4", bitstream_filter="h264_metadata=matrix_coefficients=3")
    with open_source(str(plain), "video") as one, open_source(str(reserved), "video") as other:
        for ours, theirs in zip(one.frames(range(3)), other.frames(range(3)), strict=True):
            assert np.array_equal(ours.rgb, theirs.rgb)
            assert np.abs(ours.rgb.astype(int) - paint(ours.index, 64, 48)).mean() < 12


def test_an_encrypted_video_is_called_by_its_name(tmp_path: Path) -> None:
    path = remux(
        write_clip(tmp_path / "plain.mp4", 10),
        tmp_path / "drm.mp4",
        encryption_scheme="cenc-aes-ctr",
        encryption_key="76a6c65c5ea762046bd749a2e632ccbb",
        encryption_kid="a7e61c373e219033c21091fa607bf3b8",
    )
    (video,) = plan_videos([Source(str(path))])
    assert video.status == VideoStatus.UNREADABLE
    assert video.reason.startswith("encrypted (DRM)")
    with pytest.raises(SegmentError, match="encrypted") as error:
        open_source(str(path), "video")
    assert error.value.failure.kind == "Encrypted"
