"""The clip lists that come with CelebV-HQ and VFHQ, matched with the videos that their user has downloaded.

CelebV-HQ (github.com/CelebV-HQ/CelebV-HQ, README) is one JSON file, `celebvhq_info.json`:

    {"clips": {"M2Ohb0FAaJU_1": {"ytb_id": "M2Ohb0FAaJU", "duration": {"start_sec": 81.62, "end_sec": 86.17},
                                 "bbox": {"top": 0.0, "bottom": 0.8815, "left": 0.1964, "right": 0.6922}, ...}}}

with boxes in fractions of the frame. VFHQ (liangbinxie.github.io/projects/vfhq) is one text per clip, which names
video, person, clip and frames in its own name, `Clip+_-91nXXjrVo+P0+C0+F1537-1825.txt`, and has, among others, lines
that begin with H, W (size of the video that was annotated), FPS and CROP (x0 y0 x1 y1 in its pixels) and end with the
numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from lpff_ray.errors import UserError
from lpff_ray.plan.manifest import CROP, Source, further_columns, source_of_row
from lpff_ray.storage.failures import explain
from lpff_ray.storage.opening import opened
from lpff_ray.storage.uri import file_name
from lpff_ray.types import CropUnit

# What yt-dlp and youtube-dl merge or remux a download into.
ENDINGS = ("mp4", "mkv", "webm", "mov", "m4v", "avi", "flv", "3gp", "ts")
_VFHQ_NAME = re.compile(r"(Clip\+(?P<video>.+)\+P\d+\+C\d+\+F(?P<first>\d+)-(?P<last>\d+))\.txt")
_VFHQ_LINES = {"H": 1, "W": 1, "FPS": 1, "CROP": 4}  # the numbers at their ends
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
# Broadcast rates, 1000/1001 of whole ones. The texts round to two decimals: counted by 23.98, frames of 24000/1001 are
# one off after four minutes.
_NTSC = tuple(whole * 1000 / 1001 for whole in (15, 24, 30, 48, 60, 120))
_ROUNDING = 0.01
_IN_BRACKETS = re.compile(r"\[([\w-]{11})\]$")


class Downloads:
    """The downloaded videos of one folder, found by their YouTube id: `ID.mp4`, or yt-dlp's default `Title [ID].mp4`.

    Data sets are also passed on as clips in files of their own; a file that has the clip's own name is one of these.
    """

    def __init__(self, folder: str, uris: Iterable[str]) -> None:
        """folder: where they should be. uris: what is in it, at any depth. Raises UserError if it is a file."""
        uris = list(uris)
        if uris == [folder]:
            raise UserError(f"--videos {folder}: a file, not a folder; name the folder that holds the videos")
        self.folder = folder.rstrip("/")
        self._named: dict[str, str] = {}
        for uri in sorted(uris):
            stem, _, ending = file_name(uri).rpartition(".")
            if ending.lower() in ENDINGS:
                self._named.setdefault(stem, uri)
                if found := _IN_BRACKETS.search(stem):
                    self._named.setdefault(found[1], uri)

    def find(self, name: str) -> str | None:
        """The file of this YouTube id, or of a clip of this name; None if it is not there."""
        return self._named.get(name)

    def clip(self, where: str, video: str, row: dict[str, Any]) -> Source:
        """The source of a clip of the video with this YouTube id.

        row: `clip_id`, `start_s`, `end_s`, `x0` ... `y1`, as in a manifest; they are left out for a clip
            that is a file of its own. where: names the list and the clip in complaints.
        A video that is missing becomes the source that should have been there, for the plan to report.
        """
        uri = self._named.get(video)
        own_file = self._named.get(row["clip_id"])
        if uri is None and own_file is not None:
            return Source(own_file, clip_id=row["clip_id"], columns=further_columns(row))
        return source_of_row(where, {"uri": uri or f"{self.folder}/{video}.mp4", **row})


def is_celebvhq(uri: str) -> bool:
    """Whether the name can be that of CelebV-HQ's list: .json."""
    return file_name(uri).lower().endswith(".json")


def is_vfhq(uri: str) -> bool:
    """Whether the name is that of one of VFHQ's annotations."""
    return _VFHQ_NAME.fullmatch(file_name(uri)) is not None


def read_celebvhq(uri: str, downloads: Downloads) -> list[Source]:
    """The clips of CelebV-HQ's list, in its order. Raises UserError naming the list, and the clip at fault."""
    try:
        content = json.loads(clip_list_text(uri))
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"{uri}: not readable as JSON: {error}") from None
    clips = content.get("clips") if isinstance(content, dict) else None
    if not isinstance(clips, dict) or not clips:
        raise UserError(
            f'{uri}: no "clips" in it: a .json source must be a clip list such as celebvhq_info.json; '
            "to read photos that have a dataset.json, name their folder"
        )
    named = content.get("meta_info")
    words = named if isinstance(named, dict) else {}
    return [
        _celebvhq_clip(f"{uri}, clip {name!r}", name, clip, downloads, words) for name, clip in clips.items()
    ]


def _celebvhq_clip(
    where: str, name: str, clip: Any, downloads: Downloads, words: Mapping[str, Any]
) -> Source:
    try:
        video, span, box = clip["ytb_id"], clip["duration"], clip["bbox"]
        numbers = {"start_s": span["start_sec"], "end_s": span["end_sec"]}
        crop = [box["left"], box["top"], box["right"], box["bottom"]]
    except (KeyError, TypeError) as error:
        raise UserError(
            f'{where}: needs ytb_id, duration {{"start_sec", "end_sec"}} and bbox {{"top", "bottom", "left", '
            f'"right"}}, but {error} is missing'
        ) from None
    row = {"clip_id": name, **numbers, **_fractions(crop, 1, 1), **_labels(clip.get("attributes"), words)}
    return downloads.clip(where, str(video), row)


def _labels(attributes: Any, words: Mapping[str, Any]) -> dict[str, str]:
    """CelebV-HQ's labels of a clip as columns: the names of those that are set, commas between them.

    attributes: `appearance` and `action` are lists of 0 and 1, `emotion` has `labels`: one text, or a list of spans of
    time that have one each. words: `meta_info` of the list, with the names as `appearance_mapping`, `action_mapping`.
    """
    found = {}
    for kind, values in (attributes if isinstance(attributes, dict) else {}).items():
        names = words.get(f"{kind}_mapping")
        if isinstance(values, dict):
            labels = values.get("labels")
            spans = labels if isinstance(labels, list) else [labels]
            texts = [span.get("emotion") if isinstance(span, dict) else span for span in spans]
        elif isinstance(values, list) and isinstance(names, list) and len(names) >= len(values):
            texts = [name for name, value in zip(names, values, strict=False) if value == 1]
        else:
            continue
        found[str(kind)] = ", ".join(dict.fromkeys(str(text) for text in texts if text))
    return found


def read_vfhq(uri: str, downloads: Downloads) -> Source:
    """The clip that one of VFHQ's annotations describes. Raises UserError naming the file and what it lacks.

    Its frames are those between the two numbers in the name, both excluded (as in the data set's own
    extract_cropped_high_quality_faces script: `select=between(n, first + 1, last - 1)`).
    """
    name = _VFHQ_NAME.fullmatch(file_name(uri))
    assert name is not None
    numbers = vfhq_numbers(uri)
    (height,), (width,), (fps,) = numbers["H"], numbers["W"], numbers["FPS"]
    fps = exact_rate(fps)
    row = {"start_s": (int(name["first"]) + 1) / fps, "end_s": int(name["last"]) / fps}
    # Fractions, since the video may have been downloaded in another size.
    row |= _fractions(numbers["CROP"], width, height)
    return downloads.clip(uri, name["video"], {"clip_id": name[1], **row})


def vfhq_numbers(uri: str) -> dict[str, list[float]]:
    """The numbers of one of VFHQ's annotations: H, W, FPS, CROP. Raises UserError naming the file and what it lacks."""
    numbers: dict[str, list[float]] = {}
    for line in clip_list_text(uri).splitlines():
        for key, count in _VFHQ_LINES.items():
            words = line.split()[-count:]
            if line.startswith(key) and len(words) == count and all(map(_NUMBER.fullmatch, words)):
                numbers.setdefault(key, [float(word) for word in words])
    missing = [key for key in _VFHQ_LINES if key not in numbers]
    if missing:
        raise UserError(
            f"{uri}: no line that starts with {' or '.join(missing)} and ends with numbers: not one of VFHQ's "
            "annotations, or cut off; unpack it again"
        )
    (height,), (width,), (fps,) = numbers["H"], numbers["W"], numbers["FPS"]
    if min(height, width, fps) <= 0:
        raise UserError(f"{uri}: H, W and FPS must be greater than 0")
    return numbers


def exact_rate(fps: float) -> float:
    """The frame rate that was meant by one rounded to two decimals: 29.97 is 30000/1001."""
    return next((rate for rate in _NTSC if abs(rate - fps) < _ROUNDING), fps)


def _fractions(box: list[Any], width: float, height: float) -> dict[str, Any]:
    """x0, y0, x1, y1 in pixels of a frame as a manifest's crop in fractions of it, none of them beyond its edges."""
    sides = (width, height, width, height)
    fractions = {
        name: min(max(value / side, 0.0), 1.0) if isinstance(value, (int, float)) else value
        for name, value, side in zip(CROP, box, sides, strict=True)
    }
    return {**fractions, "crop_unit": CropUnit.FRACTION}


def clip_list_text(uri: str) -> str:
    """The text of a clip list. Raises UserError if it can not be read."""
    try:
        with opened(uri) as (file, _):
            return file.read().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{uri}: the clip list cannot be read: {explain(error, uri)}") from None
    except UnicodeDecodeError:
        raise UserError(f"{uri}: the clip list is not UTF-8 text") from None
