"""The fixed words of tables, configurations and messages, as enums.

Members are strings: they compare, print, format and hash as their values do. Polars makes its own Enum type of a
member, so `pl.lit` takes `str(member)`.
"""

from __future__ import annotations

from enum import Enum


class TextEnum(str, Enum):
    """A string that is a member of an enum. (enum.StrEnum needs Python 3.11; 3.12 formats plain mixtures by name.)"""

    __str__ = str.__str__
    __format__ = str.__format__  # type: ignore[assignment]


class PoseBin(TextEnum):
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


class MediaKind(TextEnum):
    """The kind of a source. An animation is a picture file of several frames: GIF, APNG, WebP, AVIF. A sequence is a
    folder or zip of numbered pictures: the frames of a clip."""

    VIDEO = "video"
    PHOTO = "photo"
    ANIMATION = "animation"
    SEQUENCE = "sequence"


class CropUnit(TextEnum):
    """The unit of the four numbers of a crop."""

    FRACTION = "fraction"
    PIXEL = "pixel"


class VideoStatus(TextEnum):
    """The status of a source of a run. The plan gives the first five; mining turns PLANNED into one of the others."""

    PLANNED = "planned"
    DUPLICATE = "duplicate"
    UNREADABLE = "unreadable"
    NOT_MEDIA = "not_media"
    REFUSED = "refused"
    PENDING = "pending"
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"


class SegmentStatus(TextEnum):
    """How a segment ended, which is the kind of its part and of its record: mined, or given up."""

    MINED = "segment"
    QUARANTINED = "quarantine"


class Stage(TextEnum):
    """The stage of the work in which an attempt at an item failed."""

    OPEN = "open"
    DECODE = "decode"
    MEASURE = "measure"
    COMMIT = "commit"
    PROCESS = "process"


class ReviewDecision(TextEnum):
    """What a person says of a face: it may stay, whatever the doubts were, or it leaves."""

    ACCEPT = "accept"
    REJECT = "reject"


class ReviewAction(TextEnum):
    """What one line of a review log does, see `tables.review.actions:Action`."""

    DECIDE = "decide"
    MOVE = "move"
    MERGE = "merge"
    SPLIT = "split"
    UNDO = "undo"
