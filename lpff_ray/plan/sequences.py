"""Frame sequences: which folders and zips of numbered pictures are clips, and what the clip of such a one is."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from lpff_ray.decode.formats import PHOTO_NAMES, ending_of
from lpff_ray.decode.frame_source import NS
from lpff_ray.decode.frame_times import timeline
from lpff_ray.decode.pictures.members import Members, ZipFolder, open_members
from lpff_ray.decode.pictures.numbering import (
    NumberedPictures,
    is_clip_name,
    is_frame_prefix,
    numbered_pictures,
)
from lpff_ray.decode.pictures.opening import open_photo
from lpff_ray.decode.pictures.orientation import turned_size
from lpff_ray.decode.pictures.sequence import DEFAULT_FPS, NOT_NUMBERED, sequence_times
from lpff_ray.decode.probe import MediaInfo, Unreadable
from lpff_ray.errors import UserError
from lpff_ray.plan.content import BLOCKS, FileContent, failed, name_id
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.video import Video
from lpff_ray.storage.uri import file_name, split_chain
from lpff_ray.types import MediaKind, VideoStatus

Pictures = Literal["auto", "photos", "sequences"]
"""What numbered pictures of one folder are taken for: the frames of a clip, photos, or what their names say."""
MOST_SKIPPED = 10
"""Photos that are numbered in larger steps than this, on average, are no frames."""
log = logging.getLogger(__name__)


def with_sequences(uris: Sequence[str], pictures: Pictures, fps: float) -> list[Source]:
    """The sources that the found files are: a folder of frames is one, every other file is one.

    uris: files, in any order. fps: frames per second of sequences. A folder, or folder of a zip, is a sequence if
    all its pictures are one numbered series, and `pictures` is "sequences" or the names leave no doubt: the folder has
    a data set's name for a clip (see `numbering.is_clip_name`), or the files are called frame_0001.png. A zip among the
    files is one likewise, if `pictures` is "sequences" or by its own name. What lies beside the frames is left out.
    """
    if pictures == "photos":
        return [Source(uri) for uri in uris]
    folders: dict[str, list[str]] = {}
    for uri in uris:
        folders.setdefault(folder_of(uri), []).append(uri)
    clips = {folder for folder, files in folders.items() if _is_clip(folder, files, pictures)}
    found: dict[Source, None] = {}  # each once, in the order of the files
    for uri in uris:
        folder = folder_of(uri)
        if folder in clips:
            found[Source(folder, kind=MediaKind.SEQUENCE, fps=fps)] = None
        elif _is_zip_file(uri) and (pictures == "sequences" or is_clip_name(file_name(uri))):
            found[Source(uri, kind=MediaKind.SEQUENCE, fps=fps)] = None
        else:
            found[Source(uri)] = None
    return list(found)


def _is_clip(folder: str, files: Iterable[str], pictures: Pictures) -> bool:
    series = numbered_pictures(map(file_name, files))
    if series is None:
        return False
    return pictures == "sequences" or is_clip_name(file_name(folder)) or is_frame_prefix(series.prefix)


def _is_zip_file(uri: str) -> bool:
    return uri.lower().endswith(".zip") and not split_chain(uri)[1]


def ambiguous_folders(sources: Iterable[Video]) -> list[tuple[str, int]]:
    """Folders whose photos are numbered as frames are, with few holes, and how many each has: they might be clips."""
    folders: dict[str, list[str]] = {}
    for source in sources:
        if source.kind == MediaKind.PHOTO:
            folders.setdefault(folder_of(source.uri), []).append(file_name(source.uri))
    series = {folder: numbered_pictures(names) for folder, names in folders.items()}
    return [
        (folder, len(one.names))
        for folder, one in series.items()
        if one is not None and _is_dense(one.numbers)
    ]


def _is_dense(numbers: Sequence[int]) -> bool:
    return numbers[-1] - numbers[0] < MOST_SKIPPED * len(numbers)


def folder_of(uri: str) -> str:
    """The folder of a file; of one at the top of a zip, the zip itself."""
    member, archive = split_chain(uri)
    if not archive:
        return uri.rpartition("/")[0] or "/"
    protocol, _, path = member.partition("://")
    folder = path.rpartition("/")[0]
    return f"{protocol}://{folder}::{archive}" if folder else archive


def inspect_sequence(uri: str) -> FileContent:
    """As `content.inspect`, of a sequence: one picture is opened, and those are read that its id counts."""
    identity, size = name_id(uri), 0
    try:
        with open_members(uri) as members:
            series = numbered_pictures(members.sizes)
            if series is None:
                raise Unreadable(_no_series(members))
            size = sum(members.sizes[name] for name in series.names)
            identity, whole = sequence_id(members, series)
            info = _probe(members, series)
    except (Unreadable, OSError) as error:
        return failed(uri, error, identity, size)
    return FileContent(identity, size, VideoStatus.PLANNED, info=info, whole=whole)


def _no_series(members: Members) -> str:
    if isinstance(members, ZipFolder) and not any(ending_of(name) in PHOTO_NAMES for name in members.sizes):
        folders = [folder for folder, names in members.folders().items() if numbered_pictures(names)]
        if folders:
            return (
                f"its pictures lie in {len(folders)} folders of the zip: name each, as in "
                f"zip://{folders[0]}::ZIP, or the zip itself with --pictures sequences"
            )
    return NOT_NUMBERED


def sequence_id(members: Members, series: NumberedPictures, every_byte: bool = False) -> tuple[str, bool]:
    """16 hex digits that name the content of a sequence, and whether every byte of it counts in them.

    SHA-256 of the number and size of every picture, and of the bytes of BLOCKS pictures, spread evenly, or of all.
    A folder and a zip of the same pictures have one id; names but for the numbers do not count.
    """
    digest = hashlib.sha256(b"sequence")
    for number, name in zip(series.numbers, series.names, strict=True):
        digest.update(f"{number}:{members.sizes[name]}\n".encode())
    count = len(series.names)
    every_byte = every_byte or count <= BLOCKS
    chosen = range(count) if every_byte else [k * (count - 1) // (BLOCKS - 1) for k in range(BLOCKS)]
    for index in chosen:
        digest.update(members.read(series.names[index]))
    return digest.hexdigest()[:16], every_byte


def whole_sequence_id(uri: str) -> str:
    """The id that counts every byte. Raises OSError if it can not be read."""
    with open_members(uri) as members:
        series = numbered_pictures(members.sizes)
        if series is None:
            raise OSError(NOT_NUMBERED)
        return sequence_id(members, series, every_byte=True)[0]


def is_sequence_of(uri: str, content: str, size: int) -> bool:
    """Whether the sequence at a uri holds the bytes that were mined: its content id, and its size (0: not known)."""
    with open_members(uri) as members:
        series = numbered_pictures(members.sizes)
        if series is None or (size and size != sum(members.sizes[name] for name in series.names)):
            return False
        return content in (sequence_id(members, series)[0], sequence_id(members, series, every_byte=True)[0])


def numbers_of(uri: str) -> tuple[int, ...]:
    """The numbers of a sequence's pictures, ascending. Raises OSError if there is none."""
    with open_members(uri) as members:
        series = numbered_pictures(members.sizes)
    if series is None:
        raise OSError(NOT_NUMBERED)
    return series.numbers


def _probe(members: Members, series: NumberedPictures) -> MediaInfo:
    """A sequence at DEFAULT_FPS, see `at_rate`."""
    first = members.read(series.names[0])
    try:
        with open_photo(io.BytesIO(first)) as image:
            (width, height), codec = turned_size(image), (image.format or "").lower()
    except UserError:
        raise
    except Exception as error:  # whatever Pillow's parsing meets
        raise Unreadable(f"{series.names[0]}: damaged, or not a picture") from error
    return MediaInfo(
        kind=MediaKind.SEQUENCE,
        container=members.kind,
        codec=codec,
        width=width,
        height=height,
        **_timeline(series.numbers, DEFAULT_FPS),
    )


def _timeline(numbers: tuple[int, ...], fps: float) -> dict[str, Any]:
    times = sequence_times(numbers, fps)
    # Every picture is a keyframe: to cut at, none is better than another.
    stated = {"fps": fps, "duration_s": int(times[-1]) / NS + 1 / fps}
    return {**timeline(times, np.zeros(len(times), bool), fps), **stated}


def at_rate(info: MediaInfo, fps: float) -> MediaInfo:
    """What a probe says of a sequence, if it has another number of frames per second."""
    scale = info.fps / fps
    gaps = tuple((round(before * scale), round(after * scale)) for before, after in info.gaps_ns)
    last_ns = round((info.duration_s - 1 / info.fps) * scale * NS)
    return replace(info, fps=fps, gaps_ns=gaps, duration_s=last_ns / NS + 1 / fps)
