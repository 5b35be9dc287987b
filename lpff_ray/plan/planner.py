"""Videos, segments and the sampling grid: what is to be looked at, decided before anything is decoded."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from lpff_ray.config import MineConfig
from lpff_ray.plan.content import Content, look
from lpff_ray.plan.sources import Source

NS = 1_000_000_000
# A frame this little before a time counts as on time. Matroska, WebM and FLV keep whole milliseconds, and
# people write spans with three decimals; just under a millisecond forgives both and keeps exact grids exact.
TOLERANCE_NS = 999_000
# Disk taken by one row of `faces` in a Parquet part: the embedding and the landmarks hardly compress.
BYTES_PER_FACE = 1_300
# Frames that one worker of two busy CPU cores looks at per second: 19.5 measured by mining 23 real clips of
# 512 x 512 to 1920 x 1080 pixels with --every 10.
FRAMES_PER_SECOND = 20.0


@dataclass(frozen=True)
class Video:
    """One video, photo or clip of a video as the plan knows it; one row of the `videos` table.

    video_id: hash of the content, with a suffix for a clip span or crop; never depends on the name.
    kind: "video" | "photo" | "" (unreadable or not media)
    width, height: pixels as shown, after rotation metadata and with square pixels; 0 if unknown
    start_s, end_s: clip span in seconds from the first frame, or None
    crop: (x0, y0, x1, y1) in pixels of the rotated frame, or fractions of it if all are <= 1; or None
    first_pts_ns: presentation time of the first frame, the t = 0 of the sampling grid of an unclipped video
    keyframe_pts_ns: ascending presentation times of keyframes by the container's index (may be empty)
    frames_expected: frames that the container announces; 0 if unknown
    status: "planned" | "duplicate" (same bytes as `duplicate_of`) | "unreadable" | "not_media"
    """

    video_id: str
    uri: str
    kind: str
    size_bytes: int
    status: str
    reason: str = ""
    clip_id: str = ""
    identity: str = ""
    start_s: float | None = None
    end_s: float | None = None
    crop: tuple[float, float, float, float] | None = None
    container: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    fps: float = 0.0
    duration_s: float = 0.0
    frames_expected: int = 0
    first_pts_ns: int = 0
    keyframe_pts_ns: tuple[int, ...] = ()
    duplicate_of: str = ""


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

    @property
    def is_half(self) -> bool:
        """Whether it is one half of a planned segment."""
        return self.segment_id[-1] in "ab"

    @property
    def half_ids(self) -> tuple[str, str]:
        """The ids of its halves."""
        return self.segment_id + "a", self.segment_id + "b"

    def halves(self, middle_ns: int) -> tuple[Segment, Segment]:
        """Cut at `middle_ns` (presentation time): the second half starts with it."""
        first, second = self.half_ids
        return (
            replace(self, segment_id=first, end_ns=middle_ns),
            replace(self, segment_id=second, start_ns=middle_ns),
        )


def plan_videos(
    sources: Sequence[Source], on_progress: Callable[[int, int], None] | None = None, workers: int = 8
) -> list[Video]:
    """Look at every source and say what it is: one Video per source, in the order of the sources.

    What cannot be reached or read, is no media, or is the same clip of the same bytes as an earlier source
    becomes a row with that status and a reason; no source makes this raise. A file is looked at once, however
    many clips of it are asked for.

    on_progress: called with (files looked at, files in all). workers: threads.
    """
    uris = list(dict.fromkeys(source.uri for source in sources))
    contents: dict[str, Content] = {}
    pool = ThreadPoolExecutor(workers, thread_name_prefix="plan")
    try:
        for uri, content in zip(uris, pool.map(look, uris), strict=True):
            contents[uri] = content
            if on_progress is not None:
                on_progress(len(contents), len(uris))
    finally:
        # After Ctrl-C, files not begun are not waited for.
        pool.shutdown(cancel_futures=True)
    first: dict[str, str] = {}
    videos = []
    for source in sources:
        video = _video(source, contents[source.uri])
        if video.status == "planned" and video.video_id in first:
            same = first[video.video_id]
            video = replace(video, status="duplicate", reason=f"same content as {same}", duplicate_of=same)
        elif video.status == "planned":
            first[video.video_id] = video.uri
        videos.append(video)
    return videos


def _video(source: Source, content: Content) -> Video:
    """The row of one source, its span and crop checked against what the file holds."""
    video = Video(
        video_id=content.identity,
        # Tables hold UTF-8; a name that is not is shown with its odd bytes escaped.
        uri=source.uri.encode("utf-8", "backslashreplace").decode(),
        kind="",
        size_bytes=content.size,
        status=content.status,
        reason=content.reason,
        clip_id=source.clip_id,
        identity=source.identity,
        start_s=source.start_s,
        end_s=source.end_s,
        crop=source.crop,
    )
    if content.info is not None:
        # Every field of a MediaInfo is a field of a Video, by the same name.
        video = replace(video, **vars(content.info))
        video = _fit_crop(_check_span(video))
    if video.start_s or video.end_s is not None or video.crop is not None:
        clip = repr((video.start_s or 0.0, video.end_s, video.crop))
        video = replace(video, video_id=f"{video.video_id}-{hashlib.sha256(clip.encode()).hexdigest()[:8]}")
    return video


def _check_span(video: Video) -> Video:
    start = video.start_s or 0.0
    if video.kind == "photo" and start > 0:
        return replace(video, status="unreadable", reason=f"clip starts at {start:.1f} s but this is a photo")
    if 0 < video.duration_s <= start:
        reason = f"clip starts at {start:.1f} s but the video lasts {video.duration_s:.1f} s"
        return replace(video, status="unreadable", reason=reason)
    return video


def _fit_crop(video: Video) -> Video:
    """Cut the crop to the frame; unreadable if nothing of it is left."""
    if video.crop is None or not video.width:
        return video
    fractions = max(video.crop) <= 1
    width, height = (1.0, 1.0) if fractions else (float(video.width), float(video.height))
    x0, y0, x1, y1 = video.crop
    inside = (max(x0, 0.0), max(y0, 0.0), min(x1, width), min(y1, height))
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        crop = ", ".join(f"{number:g}" for number in video.crop)
        reason = f"crop ({crop}) lies outside the frame of {video.width} x {video.height} pixels"
        return replace(video, status="unreadable", reason=reason)
    return replace(video, crop=inside)


def segments(video: Video, segment_seconds: float) -> list[Segment]:
    """Cut a video into units of about `segment_seconds`, in order; none unless it is planned.

    The k-th border is the first keyframe at or after k * segment_seconds of the clip, if one comes within
    half a segment, and that time itself otherwise. A rest of less than half a segment stays with the stretch
    before it. The first segment is open to the left unless the clip has a start, the last to the right unless
    it has an end, so that frames outside of the announced duration are not lost. A photo, and a video whose
    length nothing tells, is one segment.
    """
    if video.status != "planned":
        return []
    start_ns, end_ns = _span(video)
    keyframes = video.keyframe_pts_ns
    first = video.first_pts_ns
    last = max([first + round(video.duration_s * NS), *keyframes[-1:]])
    stop = last if end_ns is None else min(last, end_ns)
    begin = first if start_ns is None else start_ns
    length = round(segment_seconds * NS)
    borders: list[int | None] = [start_ns]
    for nominal in range(begin + length, stop, length):
        after = bisect_left(keyframes, nominal)
        near = after < len(keyframes) and keyframes[after] - nominal <= length // 2
        border = keyframes[after] if near else nominal
        if stop - border < length // 2:
            break
        borders.append(border)
    borders.append(end_ns)
    return [
        Segment(f"{video.video_id}-{index:05d}", video, index, left, right)
        for index, (left, right) in enumerate(pairwise(borders))
    ]


def _span(video: Video) -> tuple[int | None, int | None]:
    """Presentation times that hold a clip's frames, start <= pts < end; None where the clip is open."""

    def border(seconds: float | None) -> int | None:
        if seconds is None:
            return None
        # Beyond 30 years nanoseconds would leave int64.
        return video.first_pts_ns + round(min(seconds, 1e9) * NS) - TOLERANCE_NS

    return border(video.start_s or None), border(video.end_s)


def wanted_indices(
    table_pts_ns: np.ndarray, segment: Segment, every: int | None, fps: float | None
) -> np.ndarray:
    """Indices of the frames of `segment` that are to be looked at: int64, ascending.

    table_pts_ns: int64 [n], ascending presentation times of all frames of the video.
    every: each `every`-th frame, counted from the first frame of the clip. fps: for k = 0, 1, 2, ... the
    first frame at or after k / fps seconds from the clip's start (of an uncut video: from its first frame); a
    frame that is the first for several k counts once. Neither: all frames. A frame less than a millisecond
    early (TOLERANCE_NS) is on time, here and at the ends of a clip's span.

    The choice is made for the whole clip and then cut to the segment, so segments that tile the clip together
    give what the clip gives, wherever the cuts are.
    """
    start_ns, end_ns = _span(segment.video)
    first, last = _between(table_pts_ns, start_ns, end_ns)
    if every is not None:
        wanted = np.arange(first, last, every, dtype=np.int64)
    elif fps is not None and first < last:
        # _span starts early by the tolerance; with an open start the first frame itself is the origin.
        origin = start_ns if start_ns is not None else int(table_pts_ns[first]) - TOLERANCE_NS
        # The number of the last time of the grid that has come when the frame is shown; it is wanted if it is
        # the first to see that number. float64 is good for 1e-7 s here, far below the tolerance.
        slots = np.floor((table_pts_ns[first:last] - origin) * fps / NS)
        wanted = first + np.flatnonzero(np.diff(slots, prepend=-1.0) > 0).astype(np.int64)
    else:
        wanted = np.arange(first, last, dtype=np.int64)
    first, last = _between(table_pts_ns, segment.start_ns, segment.end_ns)
    return wanted[(wanted >= first) & (wanted < last)]


def _between(pts_ns: np.ndarray, start_ns: int | None, end_ns: int | None) -> tuple[int, int]:
    """First index with pts >= start_ns and first index with pts >= end_ns."""
    first = 0 if start_ns is None else int(np.searchsorted(pts_ns, start_ns))
    last = len(pts_ns) if end_ns is None else int(np.searchsorted(pts_ns, end_ns))
    return first, max(first, last)


@dataclass(frozen=True)
class Estimate:
    """What a run will be like. disk_bytes takes one face per frame; seconds is of one worker."""

    videos: int
    segments: int
    frames: int
    disk_bytes: int
    seconds: float


def estimate(videos: Iterable[Video], config: MineConfig, frames_per_second: float) -> Estimate:
    """Add up the planned videos. frames_per_second: how many one worker looks at, as measured elsewhere."""
    planned = [video for video in videos if video.status == "planned"]
    frames = sum(_frames_wanted(video, config) for video in planned)
    return Estimate(
        videos=len(planned),
        segments=sum(len(segments(video, config.segment_seconds)) for video in planned),
        frames=frames,
        disk_bytes=frames * BYTES_PER_FACE,
        seconds=frames / frames_per_second,
    )


def _frames_wanted(video: Video, config: MineConfig) -> int:
    """Frames of the sampling grid as far as the container's header tells."""
    if video.kind == "photo":
        return 1
    frames = float(video.frames_expected or video.duration_s * video.fps)
    seconds = video.duration_s
    if seconds > 0:
        span = min(video.end_s or seconds, seconds) - (video.start_s or 0.0)
        frames, seconds = frames * span / seconds, span
    if config.fps is not None and seconds > 0:
        frames = min(frames, seconds * config.fps)
    return math.ceil(frames / (config.every or 1) - 1e-6)
