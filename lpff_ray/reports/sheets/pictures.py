"""The pictures of some faces of a run: its thumbnails, or, better, from the frames of its sources."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.errors import SegmentError, UserError
from lpff_ray.exports.video import VideoFile, opened_video, video_files_of
from lpff_ray.measure.thumbnail import face_square
from lpff_ray.monitoring.progress import Phase
from lpff_ray.monitoring.wording import counted
from lpff_ray.tables.thumbnails import FOLDER, thumbnails
from lpff_ray.types import MediaKind


@dataclass(frozen=True)
class FacePicture:
    """pixels: uint8 RGB [s, s, 3]. region: x0, y0, x1, y1, what it shows in pixels of the frame."""

    pixels: NDArray[np.uint8]
    region: tuple[float, ...]


@dataclass
class Pictures:
    """Pictures by face id. notes: why some faces have none, a line each."""

    by_face: dict[str, FacePicture] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def pictures_of(out: str, faces: pl.DataFrame, side: int, from_sources: bool = False) -> Pictures:
    """The pictures of faces with `face_id` and `segment_id`; from sources, `side` pixels wide, with `uri`,
    `video_id`, `frame_index` and `bbox` as well.

    Raises UserError, with what to do, if there is no thumbnail of any of them.
    """
    wanted = faces.unique("face_id", maintain_order=True)
    if from_sources:
        return _from_sources(out, wanted, side)
    found = thumbnails(out, wanted)
    if found.is_empty() and len(wanted):
        raise UserError(
            f"{out}: was mined without thumbnails ({FOLDER}/ holds none of these faces); add --from-sources to decode "
            "their frames, or mine into a new --out without --no-thumbnails"
        )
    pictures = Pictures()
    for face_id, jpeg, region in found.iter_rows():
        bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        if bgr is not None:
            pixels = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8)
            pictures.by_face[face_id] = FacePicture(pixels, tuple(region))
    without = len(wanted) - len(pictures.by_face)
    if without:
        pictures.notes.append(
            f"{counted(without, 'face')} without a thumbnail; --from-sources decodes the frames"
        )
    return pictures


def _from_sources(out: str, faces: pl.DataFrame, side: int) -> Pictures:
    pictures, sources = Pictures(), video_files_of(out)
    by_video = faces.sort("video_id", "frame_index").partition_by("video_id", maintain_order=True)
    with Phase("decoding", len(faces), "faces") as progress:
        for rows in by_video:
            name, uri = rows["video_id"][0], rows["uri"][0]
            source = sources.get(name) or VideoFile(video_id=name, uris=(uri,), kind=MediaKind.VIDEO)
            of_frame = rows.partition_by("frame_index", as_dict=True, maintain_order=True)
            try:
                with opened_video(source) as video:
                    for frame in video.frames(sorted(index for (index,) in of_frame)):
                        for face_id, box in of_frame[(frame.index,)].select("face_id", "bbox").iter_rows():
                            pictures.by_face[face_id] = FacePicture(
                                *face_square(frame.rgb, np.array(box), side)
                            )
            except SegmentError as error:
                pictures.notes.append(f"{uri}: {error.failure.message}")
            progress.advance(len(rows))
    without = len(faces) - len(pictures.by_face)
    if without and not pictures.notes:
        pictures.notes.append(f"{counted(without, 'face')} whose frame could not be decoded")
    return pictures
