"""File and folder names made of ids that may hold anything."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from lpff_ray.storage.uri import file_name

LONGEST = 80
"""Bytes (all are ASCII) that an id keeps of its name. A disk takes 255 in a name: reenactment's has two ids with their
hashes, the track and two frames, and until it is whole 38 more."""


def plain_names(wanted: Mapping[str, str]) -> dict[str, str]:
    """For every id the name that is wanted for it, fit to name a file everywhere.

    Names longer than LONGEST are shortened to it. These, and ids that would share a name, also on disks that do not
    distinguish capitals, get eight hex digits of their id's hash behind it; so a name depends on which other ids there
    are, but never on their order.
    """
    plain = {key: re.sub(r"[^A-Za-z0-9._+-]", "_", name).strip(".") or "_" for key, name in wanted.items()}
    taken = Counter(name.lower() for name in plain.values())
    return {
        key: name
        if taken[name.lower()] == 1 and len(name) <= LONGEST
        else f"{name[:LONGEST]}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        for key, name in plain.items()
    }


def clip_names(videos: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """A name by video_id for (video_id, uri, clip_id): the clip's id, or the file's name less its ending."""
    return plain_names(
        {video: clip or re.sub(r"\.[^.]+$", "", file_name(uri)) for video, uri, clip in videos}
    )
