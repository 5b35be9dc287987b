"""The words that tables, configurations and messages share, each spelled out once.

Members are texts: they compare, print, format and go into Polars as their values do.
"""

from __future__ import annotations

from enum import Enum


class _Word(str, Enum):
    """A text with a name. (enum.StrEnum needs Python 3.11, and 3.12 formats a plain mixture by its name.)"""

    __str__ = str.__str__
    __format__ = str.__format__  # type: ignore[assignment]


class PoseBin(_Word):
    """EFHQ's pose bins; `profile_left` is a face turned to image-left."""

    FRONTAL = "frontal"
    LEFT = "profile_left"
    RIGHT = "profile_right"
    UP = "profile_up"
    DOWN = "profile_down"
    EXTREME = "profile_extreme"
    HORIZONTAL = "profile_horizontal"
    VERTICAL = "profile_vertical"
    CONFUSED = "confused"


class MediaKind(_Word):
    """What a file is."""

    VIDEO = "video"
    PHOTO = "photo"


class CropUnit(_Word):
    """What the four numbers of a crop count."""

    FRACTION = "fraction"
    PIXEL = "pixel"


class VideoStatus(_Word):
    """Where a source of a run stands. The plan knows the first four, mining makes the others of PLANNED."""

    PLANNED = "planned"
    DUPLICATE = "duplicate"
    UNREADABLE = "unreadable"
    NOT_MEDIA = "not_media"
    PENDING = "pending"
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"


class SegmentStatus(_Word):
    """How a segment ended: its part holds faces, or says why there are none."""

    MINED = "segment"
    QUARANTINED = "quarantine"


class Stage(_Word):
    """Where in the work an attempt at an item failed."""

    OPEN = "open"
    DECODE = "decode"
    MEASURE = "measure"
    COMMIT = "commit"
    PROCESS = "process"
