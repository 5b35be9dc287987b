"""Videos, segments and the sampling grid: what is to be looked at, decided before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass, replace

NS = 1_000_000_000


@dataclass(frozen=True)
class Video:
    """One video, photo or clip of a video as the plan knows it; one row of the `videos` table.

    video_id: hash of the content, with a suffix for a clip span or crop; never depends on the name.
    kind: "video" | "photo" | "" (unreadable or not media)
    width, height: pixels after rotation metadata; 0 if unknown
    start_s, end_s: clip span in seconds from the first frame, or None
    crop: (x0, y0, x1, y1) in pixels of the rotated frame, or fractions of it if all are <= 1; or None
    first_pts_ns: presentation time of the first frame, the t = 0 of the sampling grid of an unclipped video
    keyframe_pts_ns: ascending presentation times of keyframes as the container's index names them (may be empty)
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

    def halves(self, middle_ns: int) -> tuple[Segment, Segment]:
        """Cut at `middle_ns` (presentation time): the second half starts with it."""
        return (
            replace(self, segment_id=self.segment_id + "a", end_ns=middle_ns),
            replace(self, segment_id=self.segment_id + "b", start_ns=middle_ns),
        )
