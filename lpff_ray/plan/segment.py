"""Segments: the stretches of a video that are the units of work."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter
from typing import Any

from lpff_ray.decode.frame_source import NS
from lpff_ray.plan.video import Video


@dataclass(frozen=True)
class Segment:
    """A stretch of one video, the unit of work: frames with start_ns <= pts < end_ns (None: open end).

    segment_id: `{video_id}-{index:05d}`, halves of it get a letter appended ("a", "b").
    """

    segment_id: str
    video: Video
    index: int
    start_ns: int | None
    end_ns: int | None

    def __getstate__(self) -> dict[str, Any]:
        """What travels to a worker. Where segments may be cut is the driver's knowledge, and can be long."""
        return vars(replace(self, video=replace(self.video, keyframe_pts_ns=(), gaps_ns=())))

    @property
    def is_half(self) -> bool:
        """Whether it is one half of a planned segment."""
        return self.segment_id[-1] in "ab"

    @property
    def half_ids(self) -> tuple[str, str]:
        """The ids of its halves."""
        return self.segment_id + "a", self.segment_id + "b"

    def halves(self, middle_ns: int) -> tuple[Segment, Segment]:
        """Split at `middle_ns` (presentation time): the second half starts with it."""
        first, second = self.half_ids
        return (
            replace(self, segment_id=first, end_ns=middle_ns),
            replace(self, segment_id=second, start_ns=middle_ns),
        )


def segments(video: Video, segment_seconds: float) -> list[Segment]:
    """Split a video into segments of about `segment_seconds`, in order; none unless it is planned.

    The k-th border is the first keyframe at or after k * segment_seconds of the clip, if one comes within
    half a segment, and that time itself otherwise. Where that time has no frame (`Video.gaps_ns`), it is the next
    frame's, so that every segment has frames, however far a clock has jumped. A rest of less than half a segment stays
    with the stretch before it. The first segment is open to the left unless the clip has a start, the last to the right
    unless it has an end, so that frames outside of the announced duration are not lost. A photo, and a video whose
    length nothing tells, is one segment; so is one of which only some frames are to be looked at.
    """
    if not video.is_planned:
        return []
    start_ns, end_ns = video.span_ns()
    if video.frames:  # a few chosen ones: their times are not known yet
        return [Segment(f"{video.video_id}-00000", video, 0, start_ns, end_ns)]
    keyframes = video.keyframe_pts_ns
    first = video.first_pts_ns
    last = max([first + round(video.duration_s * NS), *keyframes[-1:]])
    stop = last if end_ns is None else min(last, end_ns)
    begin = first if start_ns is None else start_ns
    length = round(segment_seconds * NS)
    borders: list[int | None] = [start_ns]
    nominal = begin + length
    while nominal < stop:
        after = bisect_left(keyframes, nominal)
        near = after < len(keyframes) and keyframes[after] - nominal <= length // 2
        gap = bisect_left(video.gaps_ns, nominal, key=itemgetter(1))
        in_gap = gap < len(video.gaps_ns) and video.gaps_ns[gap][0] < nominal
        border = video.gaps_ns[gap][1] if in_gap else keyframes[after] if near else nominal
        if stop - border < length // 2 and not in_gap:
            break
        if border < stop:
            borders.append(border)
        nominal += ((border - nominal) // length + 1) * length
    borders.append(end_ns)
    return [
        Segment(f"{video.video_id}-{index:05d}", video, index, left, right)
        for index, (left, right) in enumerate(pairwise(borders))
    ]
