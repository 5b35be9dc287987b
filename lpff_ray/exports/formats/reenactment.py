"""Clips of faces for reenactment: one steady square per clip, as VoxCeleb is cropped for FOMM, TPS and LIA.

Layout: `train/` and `test/` (identities never in both), in them per clip a folder `IDENTITY#VIDEO#FIRST#LAST.mp4` of
`0000000.png`, ... (the folder's ending and its `#` are what FOMM's and TPS's loaders go by, which find the clips of an
identity as `IDENTITY*.mp4`), or, with image=mp4, a video of that name; `train.txt` and `test.txt`, the names of the
clips; with image=png, `train_frames.txt` and `test_frames.txt`, a line `train/CLIP/0000000.png frontal` or `...
extreme` for each picture, as EFHQ's loaders for LIA and TPS take them (`data_list` and `data_list_test`, with DEST as
the one `root_dir`), of the clips that these loaders can make pairs of (`loadable`); `metadata.csv`, where each clip
comes from and how the head is turned in it.
Source: AliaksandrSiarohin/video-preprocessing, crop_vox.py and util.py (`crop_video`, `compute_aspect_preserved_bbox`,
`save`), and first-order-model and Thin-Plate-Spline-Motion-Model, frames_dataset.py; wyhsirius/LIA, dataset.py;
VinAIResearch/EFHQ, 4_building/reenactment/{preprocess_vox,vfhq_txt,create_train_test}.py and
5_train_eval/lia/dataset.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field, model_validator

from lpff_ray.decode import Frame
from lpff_ray.decode.frame_table import read_frame_table
from lpff_ray.errors import UserError
from lpff_ray.exports.format import ExportFormat, File, OutputFile, Record
from lpff_ray.exports.imaging.encoding import encode_image
from lpff_ray.exports.imaging.mp4 import Mp4Writer, mean_fps
from lpff_ray.exports.imaging.squares import (
    face_boxes,
    longer_side,
    seen_of,
    square_crop,
    squeezed_crop,
    steady_square,
    union_of,
)
from lpff_ray.exports.lists.reenactment import (
    EFHQ_RULES,
    categories,
    clip_name,
    frame_list_notes,
    head_turns,
    loadable,
    split_as_efhq,
    who,
)
from lpff_ray.exports.lists.tracks import Stretch, by_track, csv_of, in_one_pass, track_faces, track_notes
from lpff_ray.exports.names import plain_names
from lpff_ray.exports.video import OpenedVideo
from lpff_ray.geometry.transforms import iou
from lpff_ray.storage.folder import Folder
from lpff_ray.types import MediaKind

SPLITS = ("train", "test")
MP4_CRF = 12  # hardly visible, even when a trainer scales the images up

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


class Reenactment(ExportFormat):
    """`--format reenactment`. Defaults are crop_vox.py's, but for min_size: 256 there, few clips on the web have that.

    Boxes are of whole faces, forehead to chin, as those of crop_vox.py's detector are (`squares.face_boxes`).

    size: of the pictures, pixels. image: "png" or "mp4" (x264, yuv420p, no sound).
    min_frames, max_frames: shorter clips are left out, longer ones cut.
    min_overlap: a new clip begins where a face's box overlaps that at the clip's start less than this (intersection
        over union).
    increase: what the square has around the union of the boxes, on each side, in units of the union's longer side.
    min_size: least longer side of that union, pixels. min_area: smaller boxes count neither for a clip's length nor
    box, square pixels. border: where the square leaves the frame it is moved inside, or what is in the frame is
    squeezed into a square, as EFHQ does. split: by identity, as the selection says, or EFHQ's (`split_as_efhq`).
    rules: "efhq" sets all of these to EFHQ's, but for what is given.
    """

    rules: Literal["steady", "efhq"] = Field(
        default="steady", description="whose defaults the other options have: steady clips, or EFHQ's"
    )
    size: int = Field(default=256, ge=16, le=2048, description="side of the pictures, pixels")
    image: Literal["png", "mp4"] = Field(default="png", description="pictures, or a video per clip")
    min_frames: int = Field(
        default=64, ge=2, description="fewest frames of a clip; shorter ones are left out"
    )
    max_frames: int = Field(default=1024, ge=2, description="most frames of a clip; longer ones are split")
    min_overlap: float = Field(
        default=0.25, ge=0, lt=1, description="IoU with the clip's first box below which a new clip begins"
    )
    increase: float = Field(
        default=0.1,
        ge=0,
        le=2,
        description="margin around the boxes on each side, in units of their longer side",
    )
    min_size: int = Field(default=128, ge=1, description="least longer side of a clip's boxes, pixels")
    min_area: float = Field(default=0, ge=0, description="least area of a face's box, square pixels")
    border: Literal["move", "squeeze"] = Field(
        default="move",
        description="a square that leaves the frame is moved inside, or what is left of it squeezed",
    )
    split: Literal["selection", "efhq"] = Field(
        default="selection", description="train and test as the selection says, or by EFHQ's rule"
    )

    name: ClassVar[str] = "reenactment"
    loading: ClassVar[str] = (
        "`root_dir: DEST` in the configuration of FOMM, TPS or LIA: clips in `train/` and `test/`."
    )

    @model_validator(mode="before")
    @classmethod
    def _rules_are_defaults(cls, options: dict[str, Any]) -> dict[str, Any]:
        return {**EFHQ_RULES, **options} if options.get("rules") == "efhq" else options

    @model_validator(mode="after")
    def _some_length_is_left(self) -> Reenactment:
        if self.min_frames > self.max_frames:
            raise UserError(
                f"min_frames {self.min_frames} is more than max_frames {self.max_frames}: no clip is long enough and "
                "short enough; change one of them with --set"
            )
        return self

    def rows(self, run: str, selection: pl.DataFrame) -> pl.DataFrame:
        """All faces of the selected tracks.

        box: of the whole face, [4] pixels. person: the identity as it can name a file, null where it is unknown.
        """
        faces = track_faces(run, selection, ("landmarks", "pose_bin", "yaw", "pitch"))
        boxes = face_boxes(faces["landmarks"].to_numpy())
        names = plain_names({name: name for name in faces["identity_id"].drop_nulls().unique().sort()})
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        faces = faces.drop("landmarks").with_columns(
            box=pl.Series(boxes, dtype=pl.Array(pl.Float64(), 4)),
            person=pl.col("identity_id").replace_strict(names, return_dtype=pl.String),
        )
        faces = faces.filter(pl.Series(area >= self.min_area)) if self.min_area else faces
        if self.split == "selection" or faces.is_empty():
            return faces
        parts = (part for track in by_track(faces) for part in self._split_track(track))
        return split_as_efhq(faces, [part for part in parts if self._lacks(part) is None])

    def unit(self, video: OpenedVideo | None, rows: pl.DataFrame) -> Iterator[tuple[list[File], Record]]:
        """The clips of one video, in one pass over its frames: also those between the sampled ones."""
        assert video is not None
        if video.kind not in (MediaKind.VIDEO, MediaKind.SEQUENCE):
            return
        stretches = (faces for track in by_track(rows) for faces in self._split_track(track))
        clips = [_Clip(faces, self, video) for faces in stretches if self._lacks(faces) is None]
        for clip in in_one_pass(video, clips):
            if len(clip.frames) >= self.min_frames:
                yield clip.made()

    def notes(self, selection: pl.DataFrame, rows: pl.DataFrame, dest: Folder) -> list[str]:
        """Whose faces the rows are, what was left out for its length or size, and which split has no clip."""
        notes = track_notes(selection, rows)
        if self.min_area or self.split == "efhq":  # faces that are left out, though their tracks are known
            kept = f"{int(rows['selected'].sum())} of {len(selection)} selected faces are large enough"
            notes = [notes[0], f"{kept}, and of people in no other clip for testing (min_area, split)"]
        stretches = [faces for track in by_track(rows) for faces in self._split_track(track)]
        lacks = [self._lacks(faces) for faces in stretches]
        limits = (
            ("frames", f"shorter than min_frames {self.min_frames}"),
            ("size", f"smaller than min_size {self.min_size}"),
        )
        left_out = [f"{lacks.count(lack)} {limit}" for lack, limit in limits if lack in lacks]
        if left_out:
            notes.append(
                f"left out of {len(stretches)} stretches of tracks: {', '.join(left_out)}: lower them with --set"
            )
        empty = [split for split in SPLITS if not dest.read(f"{split}.txt")]
        if empty:
            notes.append(
                f"no clip in {' or '.join(f'{split}/' for split in empty)}: TPS's and FOMM's loaders assert that both "
                "folders exist; select with another --test-share or --seed, or lower the limits above"
            )
        return notes + (frame_list_notes(dest, SPLITS) if self.image == "png" else [])

    def _lacks(self, faces: pl.DataFrame) -> Literal["frames", "size"] | None:
        """What a stretch of a track has too little of to become a clip."""
        if faces["frame_index"][-1] - faces["frame_index"][0] + 1 < self.min_frames:
            return "frames"
        return "size" if longer_side(union_of(faces)) < self.min_size else None

    def _split_track(self, track: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """A track's rows, split where the face has left the box where it was, or the clip is long enough."""
        boxes, frames = track["box"].to_numpy(), track["frame_index"].to_numpy()
        start = 0
        for row in range(1, len(track)):
            long = frames[row] - frames[start] >= self.max_frames
            if long or iou(boxes[start], boxes[row : row + 1])[0] < self.min_overlap:
                yield track[start:row]
                start = row
        yield track[start:]

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        """The lists of both splits, and metadata.csv."""
        for split in SPLITS:
            clips = [record for record in records if record["file"].startswith(f"{split}/")]
            clips.sort(key=itemgetter("file"))
            names = (record["file"].partition("/")[2] for record in clips)
            yield OutputFile(f"{split}.txt", "".join(f"{name}\n" for name in names).encode())
            if self.image == "png":
                lines = (
                    f"{file} {category}\n"
                    for record in clips
                    if loadable(record["categories"], split)
                    for file, category in zip(record["files"], record["categories"], strict=True)
                )
                yield OutputFile(f"{split}_frames.txt", "".join(lines).encode())
        yield OutputFile("metadata.csv", csv_of(records, _COLUMNS))


class _Clip(Stretch):
    """A clip on its way into images or an MP4."""

    def __init__(self, faces: pl.DataFrame, export_format: Reenactment, video: OpenedVideo) -> None:
        super().__init__(faces)
        self._format, self._video = export_format, video
        self._union = union_of(faces)
        self._square = (0, 0, 1)
        self._region = (0, 0, 1, 1)
        self._shape = (0, 0)
        self._images: list[bytes] = []
        self._writer: Mp4Writer | None = None
        self._fps = 0.0

    def take(self, frame: Frame) -> None:
        if not self.frames:
            self._shape = frame.rgb.shape[0], frame.rgb.shape[1]
            moved = self._format.border == "move"
            self._square = steady_square(self._union, self._format.increase, *self._shape, moved)
            self._region = seen_of(self._square, *self._shape, cut=not moved)
            table = read_frame_table(self._video.path)
            self._fps = mean_fps(table, self.first, self.last)
        with self._video.timed("crop"):
            if self._format.border == "squeeze":
                image = squeezed_crop(frame.rgb, self._region, self._format.size)
            else:
                image = square_crop(frame.rgb, self._square, self._format.size)
        with self._video.timed("encode"):
            if self._format.image == "png":
                self._images.append(encode_image(image, "frame.png"))
                return
            if self._writer is None:
                size = self._format.size
                self._writer = Mp4Writer((size, size), self._fps, MP4_CRF)
            self._writer.add(image, frame.pts_ns)

    def made(self) -> tuple[list[File], Record]:
        record = self.record()
        identity = who(self.faces)
        file = f"{record['split'] or 'train'}/{clip_name(self.faces, self.frames[0], self.frames[-1])}"
        if self._writer is not None:
            files: list[File] = [OutputFile(file, self._writer.close())]
        else:
            files = [
                OutputFile(f"{file}/{position:07d}.png", content)
                for position, content in enumerate(self._images)
            ]
        left, top, right, bottom = self._region
        across, down = (self._format.size / side for side in (right - left, bottom - top))
        record |= {
            "file": file,
            "identity": record["identity"] or identity,
            "categories": categories(self.faces, self.frames),
            "transform": [[across, 0.0, -left * across], [0.0, down, -top * down]],
            "bbox": f"{left} {top} {right} {bottom}",
            "width": self._shape[1],
            "height": self._shape[0],
            "fps": round(self._fps, 3),
        }
        return files, record | head_turns(self.faces)
