"""Clips of faces for reenactment: one steady square per clip, as VoxCeleb is cut for FOMM, TPS and LIA.

Layout: `train/` and `test/` (identities never in both), in them per clip a folder `IDENTITY#VIDEO#FIRST#LAST.mp4` of
`0000000.png`, ... (the folder's ending and its `#` are what FOMM's and TPS's loaders go by, which find the clips of an
identity as `IDENTITY*.mp4`), or, with image=mp4, a video of that name; `train.txt` and `test.txt`, the names of the
clips; `metadata.csv`, where each clip comes from and how the head is turned in it.
Source: AliaksandrSiarohin/video-preprocessing, crop_vox.py and util.py (`crop_video`, `compute_aspect_preserved_bbox`,
`save`), and first-order-model and Thin-Plate-Spline-Motion-Model, frames_dataset.py; wyhsirius/LIA, dataset.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from lpff_ray.decode import Frame, read_frame_table
from lpff_ray.products.encode import encode
from lpff_ray.products.mp4 import Mp4Writer, mean_fps
from lpff_ray.products.product import File, Made, Product, Record
from lpff_ray.products.tracks import Stretch, by_track, csv_of, in_one_pass, track_faces, track_number
from lpff_ray.products.video import OpenedVideo
from lpff_ray.tables.folder import Folder

FRONTAL, EXTREME = "frontal", "profile"  # how the names of such pose bins begin
MP4_CRF = 12  # hardly visible, even when a trainer scales the pictures up

_COLUMNS = {
    "file": pl.String(),
    "identity": pl.String(),
    "split": pl.String(),
    "tag": pl.String(),
    "frontal_share": pl.Float64(),
    "extreme_share": pl.Float64(),
    "yaw_min": pl.Float64(),
    "yaw_max": pl.Float64(),
    "pitch_min": pl.Float64(),
    "pitch_max": pl.Float64(),
    "frames": pl.Int64(),
    "fps": pl.Float64(),
    "first_frame": pl.Int64(),
    "last_frame": pl.Int64(),
    "bbox": pl.String(),
    "width": pl.Int64(),
    "height": pl.Int64(),
    "track": pl.String(),
    "video_id": pl.String(),
    "uri": pl.String(),
}


class Reenactment(Product):
    """`--format reenactment`. Defaults are crop_vox.py's, but for min_size: 256 there, few clips on the web have that.

    size: of the pictures, pixels. image: "png" or "mp4" (x264, yuv420p, no sound).
    min_frames, max_frames: shorter clips are left out, longer ones cut.
    min_overlap: a new clip begins where a face's box overlaps that at the clip's start less than this (intersection
        over union).
    increase: what the square has around the union of the boxes, on each side, in units of the union's longer side.
    min_size: least longer side of that union, pixels.
    """

    size: int = Field(default=256, ge=16, le=2048)
    image: Literal["png", "mp4"] = "png"
    min_frames: int = Field(default=64, ge=2)
    max_frames: int = Field(default=1024, ge=2)
    min_overlap: float = Field(default=0.25, ge=0, lt=1)
    increase: float = Field(default=0.1, ge=0, le=2)
    min_size: int = Field(default=128, ge=1)

    name: ClassVar[str] = "reenactment"

    def rows(self, run: str, selection: pl.DataFrame) -> pl.DataFrame:
        """All faces of the selected tracks."""
        return track_faces(run, selection, ("bbox", "pose_bin", "yaw", "pitch"))

    def unit(self, video: OpenedVideo | None, rows: pl.DataFrame) -> Iterator[tuple[list[File], Record]]:
        """The clips of one video, in one pass over its frames: also those between the looked-at ones."""
        assert video is not None
        if video.kind != "video":
            return
        clips = [
            _Clip(faces, self, video)
            for track in by_track(rows)
            for faces in self._cut(track)
            if faces["frame_index"][-1] - faces["frame_index"][0] + 1 >= self.min_frames
        ]
        for clip in in_one_pass(video, [clip for clip in clips if clip.union_side >= self.min_size]):
            if len(clip.frames) >= self.min_frames:
                yield clip.made()

    def _cut(self, track: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """A track's rows, cut where the face has left the place where it was, or the clip is long enough."""
        boxes, frames = track["bbox"].to_numpy(), track["frame_index"].to_numpy()
        start = 0
        for row in range(1, len(track)):
            long = frames[row] - frames[start] >= self.max_frames
            if long or _overlap(boxes[start], boxes[row]) < self.min_overlap:
                yield track[start:row]
                start = row
        yield track[start:]

    def finish(self, made: Folder, records: list[Record]) -> Iterable[Made]:
        """The lists of both splits, and metadata.csv."""
        for split in ("train", "test"):
            names = sorted(
                record["file"].partition("/")[2]
                for record in records
                if record["file"].startswith(f"{split}/")
            )
            yield Made(f"{split}.txt", "".join(f"{name}\n" for name in names).encode())
        yield Made("metadata.csv", csv_of(records, _COLUMNS))


class _Clip(Stretch):
    """A clip on its way into pictures or an MP4.

    union_side: longer side of the union of its boxes, pixels.
    """

    def __init__(self, faces: pl.DataFrame, product: Reenactment, video: OpenedVideo) -> None:
        super().__init__(faces)
        self._product, self._video = product, video
        boxes = faces["bbox"].to_numpy()
        self._union = np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)]).astype(np.float64)
        self.union_side = float((self._union[2:] - self._union[:2]).max())
        self._square = (0, 0, 1)
        self._shape = (0, 0)
        self._pictures: list[bytes] = []
        self._writer: Mp4Writer | None = None
        self._fps = 0.0

    def take(self, frame: Frame) -> None:
        if not self.frames:
            self._shape = frame.rgb.shape[0], frame.rgb.shape[1]
            self._square = steady_square(self._union, self._product.increase, *self._shape)
            table = read_frame_table(self._video.path)
            self._fps = mean_fps(table, self.first, self.last)
        with self._video.timed("crop"):
            picture = square_crop(frame.rgb, self._square, self._product.size)
        with self._video.timed("encode"):
            if self._product.image == "png":
                self._pictures.append(encode(picture, "frame.png"))
                return
            if self._writer is None:
                size = self._product.size
                self._writer = Mp4Writer((size, size), self._fps, MP4_CRF)
            self._writer.add(picture, frame.pts_ns)

    def made(self) -> tuple[list[File], Record]:
        record = self.record()
        identity = record["identity"] or self.faces["clip"][0]
        video = f"{self.faces['clip'][0]}-{track_number(record['track'], record['video_id'])}"
        file = (
            f"{record['split'] or 'train'}/{identity}#{video}#{self.frames[0]:06d}#{self.frames[-1]:06d}.mp4"
        )
        if self._writer is not None:
            files: list[File] = [Made(file, self._writer.close())]
        else:
            files = [Made(f"{file}/{place:07d}.png", content) for place, content in enumerate(self._pictures)]
        left, top, side = self._square
        scale = self._product.size / side
        record |= {
            "file": file,
            "identity": identity,
            "transform": [[scale, 0.0, -left * scale], [0.0, scale, -top * scale]],
            "bbox": f"{left} {top} {left + side} {top + side}",
            "width": self._shape[1],
            "height": self._shape[0],
            "fps": round(self._fps, 3),
        }
        return files, record | head_turns(self.faces)


def head_turns(faces: pl.DataFrame) -> Record:
    """How the head is turned over rows with `pose_bin`, `yaw` and `pitch` (degrees).

    tag: "extreme" if more of the looked-at frames are in one of EFHQ's profile bins than in its frontal one, else
    "frontal"; with the share of both (a frame on which the estimators disagree is neither).
    """
    frontal = sum(name == FRONTAL for name in faces["pose_bin"]) / len(faces)
    extreme = sum((name or "").startswith(EXTREME) for name in faces["pose_bin"]) / len(faces)
    record = {
        "tag": "extreme" if extreme > frontal else "frontal",
        "frontal_share": round(frontal, 3),
        "extreme_share": round(extreme, 3),
    }
    for angle in ("yaw", "pitch"):
        values = faces[angle].to_numpy()
        record |= {
            f"{angle}_min": round(float(values.min()), 1),
            f"{angle}_max": round(float(values.max()), 1),
        }
    return record


def steady_square(union: NDArray, increase: float, height: int, width: int) -> tuple[int, int, int]:
    """(left, top, side) in whole frame pixels: the square around the union [4] (x0, y0, x1, y1) of a face's boxes.

    Its side is (1 + 2 * increase) times the union's longer side and its centre the union's
    (`compute_aspect_preserved_bbox`). Where it would leave the frame it is moved inside, as far as it fits (crop_vox.py
    leaves such clips out or squeezes them).
    """
    x0, y0, x1, y1 = (float(value) for value in union)
    side = max(round((1 + 2 * increase) * max(x1 - x0, y1 - y0)), 1)

    def placed(centre: float, room: int) -> int:
        start = round(centre - side / 2)
        return min(max(start, 0), room - side) if side <= room else (room - side) // 2

    return placed((x0 + x1) / 2, width), placed((y0 + y1) / 2, height), side


def square_crop(frame: NDArray[np.uint8], square: tuple[int, int, int], size: int) -> NDArray[np.uint8]:
    """The picture in the square (left, top, side), uint8 [size, size, 3]; outside the frame it is mirrored."""
    left, top, side = square
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    picture = frame[y0:y1, x0:x1]
    margins = (y0 - top, top + side - y1, x0 - left, left + side - x1)
    if any(margins):
        picture = cv2.copyMakeBorder(picture, *margins, cv2.BORDER_REFLECT_101)
    way = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size, size), interpolation=way), np.uint8)


def _overlap(one: NDArray, other: NDArray) -> float:
    """Intersection over union of two boxes [4]."""
    width, height = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    if width <= 0 or height <= 0:
        return 0.0
    common = float(width * height)
    return common / float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - common)
