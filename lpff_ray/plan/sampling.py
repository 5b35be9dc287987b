"""Which frames of a segment are sampled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lpff_ray.decode.frame_source import NS
from lpff_ray.plan.segment import Segment
from lpff_ray.plan.video import TOLERANCE_NS


def wanted_indices(
    table_pts_ns: NDArray[np.int64], segment: Segment, every: int | None, fps: float | None
) -> NDArray[np.int64]:
    """Indices of the frames of `segment` that are to be sampled: int64, ascending.

    table_pts_ns: int64 [n], ascending presentation times of all frames of the video.
    every: each `every`-th frame, counted from the first frame of the clip. fps: for k = 0, 1, 2, ... the
    first frame at or after k / fps seconds from the clip's start (of a video without a span: from its first frame); a
    frame that is the first for several k counts once. Neither: all frames. A frame less than a millisecond
    early (TOLERANCE_NS) is on time, here and at the ends of a clip's span. Where the video itself names its frames
    (`Video.frames`), these and no others, whatever every and fps say.

    The choice is made for the whole clip and then limited to the segment, so segments that tile the clip together
    give what the clip gives, wherever it is split.
    """
    start_ns, end_ns = segment.video.span_ns()
    first, last = _between(table_pts_ns, start_ns, end_ns)
    if segment.video.frames:
        wanted = first + np.array(segment.video.frames, np.int64)
        wanted = wanted[wanted < last]
    elif every is not None:
        wanted = np.arange(first, last, every, dtype=np.int64)
    elif fps is not None and first < last:
        # A span starts early by the tolerance; with an open start the first frame itself is the origin.
        origin = start_ns if start_ns is not None else int(table_pts_ns[first]) - TOLERANCE_NS
        # The number of the last time of the grid that has come when the frame is shown; it is wanted if it is
        # the first to see that number. float64 is good for 1e-7 s here, far below the tolerance.
        slots = np.floor((table_pts_ns[first:last] - origin) * fps / NS)
        wanted = first + np.flatnonzero(np.diff(slots, prepend=-1.0) > 0).astype(np.int64)
    else:
        wanted = np.arange(first, last, dtype=np.int64)
    first, last = _between(table_pts_ns, segment.start_ns, segment.end_ns)
    return wanted[(wanted >= first) & (wanted < last)]


def first_of_span(table_pts_ns: NDArray[np.int64], segment: Segment) -> int | None:
    """Index of the first frame of the clip that a segment is of, None if its span holds no frame."""
    first, last = _between(table_pts_ns, *segment.video.span_ns())
    return first if first < last else None


def _between(pts_ns: NDArray[np.int64], start_ns: int | None, end_ns: int | None) -> tuple[int, int]:
    """First index with pts >= start_ns and first index with pts >= end_ns."""
    first = 0 if start_ns is None else int(np.searchsorted(pts_ns, start_ns))
    last = len(pts_ns) if end_ns is None else int(np.searchsorted(pts_ns, end_ns))
    return first, max(first, last)
