"""The sampling grid: the frames that are looked at, wherever a video is split."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpff_ray.decode.frame_source import NS
from lpff_ray.plan.sampling import wanted_indices
from lpff_ray.plan.segment import Segment, segments
from lpff_ray.plan.video import TOLERANCE_NS, Video


def _video(status: str = "planned", kind: str = "video", **fields: Any) -> Video:
    return Video(video_id="v", uri="/v.mp4", kind=kind, size_bytes=1, status=status, **fields)


def _whole(video: Video) -> Segment:
    return Segment("v", video, 0, None, None)


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
