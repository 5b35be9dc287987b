"""Where videos are split into units of work."""

from __future__ import annotations

import pickle
from typing import Any

from lpff_ray.decode.frame_source import NS
from lpff_ray.plan.segment import segments
from lpff_ray.plan.video import TOLERANCE_NS, Video


def _video(status: str = "planned", kind: str = "video", **fields: Any) -> Video:
    return Video(video_id="v", uri="/v.mp4", kind=kind, size_bytes=1, status=status, **fields)


def _borders(video: Video, seconds: float) -> list[float]:
    """Inner borders in seconds from the first frame."""
    return [((cut.start_ns or 0) - video.first_pts_ns) / NS for cut in segments(video, seconds)[1:]]


def test_no_segment_is_without_frames() -> None:
    """A clock that was set while recording makes one border, not thousands."""
    days = 3 * 86_400 * NS
    video = _video(duration_s=days / NS + 1.2, gaps_ns=((360_000_000, days),), keyframe_pts_ns=(0, days))
    assert _borders(video, 30) == [days / NS]
    pauses = tuple((second * NS, (second + 40) * NS) for second in range(0, 1000, 40))  # a frame every 40 s
    borders = _borders(_video(duration_s=1000.0, gaps_ns=pauses), 30)
    assert borders == [float(second) for second in range(40, 1000, 40)]
    video = _video(duration_s=200.0, gaps_ns=((20 * NS, 100 * NS),), first_pts_ns=0)
    assert _borders(video, 30) == [100, 120, 150, 180]


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


def test_what_travels_to_a_worker_is_short() -> None:
    """A lease of a long film carried the times of all of its keyframes."""
    keyframes = tuple(second * NS for second in range(7200))
    video = _video(duration_s=7200.0, keyframe_pts_ns=keyframes, gaps_ns=((NS, 3 * NS),))
    segment = segments(video, 30)[7]
    sent = pickle.dumps(segment)
    assert len(sent) < 2000
    arrived = pickle.loads(sent)
    assert (arrived.segment_id, arrived.start_ns) == (segment.segment_id, segment.start_ns)
    assert arrived.video.address == video.address
    assert segment.video is video, "the driver's own is as it was"
