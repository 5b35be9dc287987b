"""Numbered pictures: which files of a folder or zip are the frames of a clip, told by their names alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lpff_ray.decode.formats import PHOTO_NAMES, ending_of

_NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<number>\d{1,15})\.[A-Za-z0-9]+")
_FRAME_WORD = re.compile(r"(?:.*[ _.-])?frames?[ _.-]?", re.IGNORECASE)
_CLIP_NAMES = (
    re.compile(r"Clip\+.+\+P\d+\+C\d+\+F\d+-\d+"),  # VFHQ
    re.compile(r"id\d{5}#[\w-]{11}#\d+#\d+(\.mp4)?"),  # VoxCeleb, as video-preprocessing cuts it
    re.compile(r"(?=[\w-]*\d[\w-]*_)(?=[\w-]*[A-Z])[\w-]{11}_\d+"),  # CelebV-HQ: YouTube's id and a number
)


@dataclass(frozen=True)
class NumberedPictures:
    """Pictures of one series in the order of their numbers.

    names: file names. numbers: ascending; names differ in them alone. prefix: what stands before a number.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    prefix: str


def numbered_pictures(names: Iterable[str]) -> NumberedPictures | None:
    """The pictures among the files of one folder, if they are all of one series; else None.

    A series is at least two pictures whose names are one text (or none) and a number, each number once. Hidden files
    and files that are no pictures, such as boxes or points beside the frames, do not count.
    """
    found: dict[int, str] = {}
    prefixes = set()
    for name in names:
        if name.startswith(".") or ending_of(name) not in PHOTO_NAMES:
            continue
        parts = _NUMBERED.fullmatch(name)
        if parts is None or int(parts["number"]) in found:
            return None
        prefixes.add(parts["prefix"])
        found[int(parts["number"])] = name
    if len(found) < 2 or len(prefixes) != 1:
        return None
    numbers = tuple(sorted(found))
    return NumberedPictures(tuple(found[number] for number in numbers), numbers, prefixes.pop())


def is_clip_name(name: str) -> bool:
    """Whether a folder or zip is named as a data set names its clips: VFHQ, VoxCeleb, CelebV-HQ."""
    stem = name[:-4] if name.lower().endswith(".zip") else name
    return any(pattern.fullmatch(stem) for pattern in _CLIP_NAMES)


def is_frame_prefix(prefix: str) -> bool:
    """Whether what stands before the numbers says that they are frames: `frame_0001.png`."""
    return _FRAME_WORD.fullmatch(prefix) is not None
