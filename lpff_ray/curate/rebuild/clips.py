"""Where a published clip's frames are, and in which pixels its boxes count: the rules of VFHQ and CelebV-HQ.

VFHQ: `frameid` is the number of a frame of the whole video, from 0; boxes are pixels of the video in the size that was
annotated (`H`, `W`). CelebV-HQ: `frameid` is the number of a frame of the clip, from 1, where the first is the first
one at or after `start_sec`; boxes are pixels of the square that its download script cuts out. Sources: EFHQ's
`0_dataset_download`, CelebV-HQ's `download_and_process.py`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lpff_ray.curate.rebuild.metadata import youtube_id
from lpff_ray.decode.formats import PHOTO_NAMES, ending_of
from lpff_ray.decode.pictures.numbering import NumberedPictures, numbered_pictures
from lpff_ray.errors import UserError
from lpff_ray.plan.clip_lists import Downloads, clip_list_text, is_vfhq, vfhq_numbers
from lpff_ray.plan.crop import Crop
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.sequences import folder_of, numbers_of
from lpff_ray.storage.uri import file_name
from lpff_ray.types import CropUnit, MediaKind

WIDENED = 0.02
"""How far CelebV-HQ's script widens a box on every side, in fractions of the frame."""
_VFHQ = re.compile(r"Clip\+(?P<video>.+)\+P\d+\+C\d+\+F(?P<first>\d+)-(?P<last>\d+)")


@dataclass(frozen=True)
class PixelFrame:
    """Published pixels in a frame: x = origin[0] + published x * scale[0], and y likewise."""

    origin: tuple[float, float] = (0.0, 0.0)
    scale: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class PublishedClip:
    """A clip and its frames at hand.

    source: with `frames`, the numbers of the wanted frames within its span. numbers: of each published frameid, that
    number. box: CelebV-HQ's, top, bottom, left, right in fractions, None where published pixels are the frame's own.
    size: width and height that were annotated, None if not known.
    """

    name: str
    source: Source
    numbers: Mapping[int, int]
    box: tuple[float, float, float, float] | None = None
    size: tuple[float, float] | None = None

    def placement(self, width: int, height: int) -> PixelFrame:
        """Where published pixels lie in a frame of this size."""
        if self.box is not None:
            left, top, _ = celebv_square(self.box, width, height)
            return PixelFrame((left, top))
        return PixelFrame(scale=(width / self.size[0], height / self.size[1])) if self.size else PixelFrame()


class Annotations:
    """CelebV-HQ's list and VFHQ's texts by the name of the clip."""

    def __init__(self, uris: Iterable[str]) -> None:
        """Raises UserError for a file that is neither, or damaged. VFHQ's texts are read when they are needed."""
        self._celebv: dict[str, Any] = {}
        self._vfhq: dict[str, str] = {}
        for uri in uris:
            if is_vfhq(uri):
                self._vfhq[file_name(uri).removesuffix(".txt")] = uri
                continue
            try:
                clips = json.loads(clip_list_text(uri))["clips"]
                self._celebv.update(clips)
            except (ValueError, KeyError, TypeError):
                raise UserError(
                    f"{uri}: neither CelebV-HQ's celebvhq_info.json nor one of VFHQ's Clip+ID+P0+C0+F1-2.txt"
                ) from None

    def celebv(self, clip: str) -> tuple[float, tuple[float, float, float, float]] | None:
        """Start in seconds, as the script writes it, and box (top, bottom, left, right), None for an unknown clip."""
        entry = self._celebv.get(clip)
        if entry is None:
            return None
        try:
            box = entry["bbox"]
            corners = (float(box["top"]), float(box["bottom"]), float(box["left"]), float(box["right"]))
            return script_start(float(entry["duration"]["start_sec"])), corners
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"celebvhq_info.json, clip {clip!r}: no duration or bbox: {error}") from None

    def vfhq_size(self, clip: str) -> tuple[float, float] | None:
        """Width and height of the annotated video, None if there is no annotation."""
        uri = self._vfhq.get(clip)
        if uri is None:
            return None
        numbers = vfhq_numbers(uri)
        return numbers["W"][0], numbers["H"][0]


class Library:
    """What has been downloaded: videos, clips as files of their own, clips as folders or zips of frames."""

    def __init__(self, folder: str, uris: Sequence[str]) -> None:
        self.folder = folder
        self._videos = Downloads(folder, uris)
        pictures: dict[str, list[str]] = {}
        self._frames: dict[str, str] = {}
        for uri in uris:
            if ending_of(uri) in PHOTO_NAMES:
                pictures.setdefault(folder_of(uri), []).append(file_name(uri))
            elif uri.lower().endswith(".zip"):
                self._frames.setdefault(file_name(uri)[:-4], uri)
        self._listed = {folder: numbered_pictures(names) for folder, names in pictures.items()}
        for uri in self._listed:
            self._frames.setdefault(file_name(uri), uri)

    def video(self, video: str) -> str | None:
        """The video of a YouTube id."""
        return self._videos.find(video)

    def own_file(self, clip: str) -> str | None:
        """The file that holds a clip alone."""
        return self._videos.find(clip)

    def frames(self, clip: str) -> tuple[str, tuple[int, ...]] | None:
        """The folder or zip of a clip's frames, and their numbers."""
        uri = self._frames.get(clip)
        if uri is None:
            return None
        listed: NumberedPictures | None = self._listed.get(uri)
        try:
            return uri, listed.numbers if listed is not None else numbers_of(uri)
        except OSError:
            return None  # no series: mined, it would be unreadable


def find_clip(
    name: str, frameids: Sequence[int], library: Library, annotations: Annotations, fps: float
) -> PublishedClip | str:
    """A published clip as it is at hand, or why it is not: "missing" (no video), "no annotation".

    frameids: that are wanted, ascending. fps: of folders of frames.
    """
    vfhq = _VFHQ.fullmatch(name)
    if (found := library.frames(name)) is not None:
        place_uri, held = found
        place = {number: index for index, number in enumerate(held)}
        numbers = {frame: place[frame] for frame in frameids if frame in place}
        source = Source(place_uri, clip_id=name, kind=MediaKind.SEQUENCE, fps=fps, frames=_sorted(numbers))
        return PublishedClip(name, source, numbers, size=annotations.vfhq_size(name))
    video, own = library.video(youtube_id(name)), library.own_file(name)
    if vfhq is not None:
        uri, before = (video, 0) if video is not None else (own, int(vfhq["first"]) + 1)
        numbers = {frame: frame - before for frame in frameids if frame >= before}
        size = annotations.vfhq_size(name)
    elif video is not None and (annotation := annotations.celebv(name)) is not None:
        start, box = annotation
        numbers = {frame: frame - 1 for frame in frameids if frame >= 1}
        top, bottom, left, right = widened(box)
        crop = Crop((left, top, right, bottom), CropUnit.FRACTION)
        source = Source(video, clip_id=name, start_s=start or None, crop=crop, frames=_sorted(numbers))
        return PublishedClip(name, source, numbers, box=box)
    else:
        if own is None:
            return "missing" if video is None else "no annotation"
        uri, size = own, None
        numbers = {frame: frame - 1 for frame in frameids if frame >= 1}
    if uri is None:
        return "missing"
    return PublishedClip(name, Source(uri, clip_id=name, frames=_sorted(numbers)), numbers, size=size)


def _sorted(numbers: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(sorted(numbers.values()))


def script_start(seconds: float) -> float:
    """A start as CelebV-HQ's script hands it to ffmpeg: cut, not rounded, to hundredths of a second."""
    return int(seconds) + int((seconds - int(seconds)) * 100) / 100


def widened(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """CelebV-HQ's box (top, bottom, left, right in fractions), WIDENED on every side, within the frame."""
    top, bottom, left, right = box
    return (
        max(top - WIDENED, 0.0),
        min(bottom + WIDENED, 1.0),
        max(left - WIDENED, 0.0),
        min(right + WIDENED, 1.0),
    )


def celebv_square(
    box: tuple[float, float, float, float], width: int, height: int
) -> tuple[float, float, int]:
    """Left, top and side, in pixels, of the square that CelebV-HQ's script cuts out of a frame of this size.

    The widened box in whole pixels, then 2 * (min(height, width) // 2) pixels about its middle.
    """
    top, bottom, left, right = widened(box)
    y0, y1, x0, x1 = round(top * height), round(bottom * height), round(left * width), round(right * width)
    half = min(y1 - y0, x1 - x0) // 2
    # ffmpeg's crop takes whole pixels, rounded down.
    return math.floor((x0 + x1) / 2 - half), math.floor((y0 + y1) / 2 - half), 2 * half
