"""One source as the plan knows it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from lpff_ray.decode.frame_source import NS
from lpff_ray.plan.crop import Crop, PixelBox
from lpff_ray.plan.manifest import Value
from lpff_ray.types import MediaKind, VideoStatus

TOLERANCE_NS = 999_000
"""A frame this little before a time counts as on time. Matroska, WebM and FLV keep whole milliseconds, and people write
spans with three decimals; just under a millisecond forgives both and keeps exact grids exact."""


@dataclass(frozen=True)
class Video:
    """One video, photo or clip of a video as the plan knows it; one row of the `videos` table.

    video_id: hash of the content, with a suffix for a clip span or crop; never depends on the name.
    kind: "" for what is unreadable or not media
    width, height: pixels as shown, after rotation metadata and with square pixels; 0 if unknown
    start_s, end_s: clip span in seconds from the first frame, or None
    requested_crop: what was asked for, as far as it lies in the frame; None for the whole frame
    crop: the same in whole pixels of a frame of width x height; None, too, where the frame's size is unknown
    first_pts_ns: presentation time of the first frame, the t = 0 of the sampling grid of an unclipped video
    keyframe_pts_ns: ascending presentation times of keyframes by the container's index (may be empty)
    gaps_ns: (time of the frame before, of the frame after) of each long stretch without a frame, ascending
    is_counted: whether all of it has to be decoded, once in each process, before its frames are known
    frames_expected: frames that the container announces; 0 if unknown
    frames: the only frames to look at, counted from the first one of the span; empty for all that the run samples
    columns: what its source says of it beside all this, by name
    status: a "duplicate" has the same bytes as `duplicate_of`
    location: the whole URI where `uri` is a redacted one, "" where they are the same; it is in no table, log or message
    """

    video_id: str
    uri: str  # redacted: what may stand in tables and logs
    kind: MediaKind | Literal[""]
    size_bytes: int
    status: VideoStatus
    reason: str = ""
    clip_id: str = ""
    identity: str = ""
    start_s: float | None = None
    end_s: float | None = None
    requested_crop: Crop | None = None
    crop: PixelBox | None = None
    container: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    fps: float = 0.0
    duration_s: float = 0.0
    frames_expected: int = 0
    first_pts_ns: int = 0
    keyframe_pts_ns: tuple[int, ...] = ()
    gaps_ns: tuple[tuple[int, int], ...] = ()
    is_counted: bool = False
    duplicate_of: str = ""
    frames: tuple[int, ...] = ()
    columns: tuple[tuple[str, Value], ...] = ()
    location: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        """The URI that opens the file, which may hold a password or a signature: for memory alone."""
        return self.location or self.uri

    @property
    def is_planned(self) -> bool:
        """Whether it is to be mined."""
        return self.status == VideoStatus.PLANNED

    def span_ns(self) -> tuple[int | None, int | None]:
        """Presentation times that hold a clip's frames, start <= pts < end; None where the clip is open."""
        return self._border_ns(self.start_s or None), self._border_ns(self.end_s)

    def _border_ns(self, seconds: float | None) -> int | None:
        if seconds is None:
            return None
        # Beyond 30 years nanoseconds would leave int64.
        return self.first_pts_ns + round(min(seconds, 1e9) * NS) - TOLERANCE_NS

    def crop_in(self, width: int, height: int) -> PixelBox | None:
        """The part of a decoded frame that is to be looked at; None for all of it.

        width, height: pixels of the frame as shown. Nearly always the plan's own, and then this is `crop`; a stream may
        change its size on the way.
        """
        if self.requested_crop is None or (width, height) == (self.width, self.height):
            return self.crop
        return self.requested_crop.pixels(width, height)

    def row(self) -> dict[str, Any]:
        """Its row in the plan's table, but for the columns that speak of segments.

        `crop` is what was asked for, in `crop_unit`: so it stays the same however often a source is planned, also
        before its file is there.
        """
        row = dict(vars(self))
        del row["location"]
        crop = row.pop("requested_crop")
        row["manifest"] = json.dumps(dict(self.columns), ensure_ascii=False) if self.columns else None
        row["crop"], row["crop_unit"] = (None, None) if crop is None else (crop.box, crop.unit)
        return row
