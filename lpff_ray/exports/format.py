"""What a format is to the export: which faces it wants, what it makes of a video, and its index files.

A format is a subclass of FaceFormat (something per face, cropped from its frame) or of ExportFormat (anything else),
and one line in `registry.py`, or an entry point of another package. Its fields are its options: `--size 512` or
`--set key=value` of the command line fill them, and pydantic checks them. The export does the rest: it plans and
spreads the units of work, opens and decodes videos, encodes images, commits files, resumes, and writes
PROVENANCE.jsonl.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lpff_ray.errors import UserError
from lpff_ray.exports.video import OpenedVideo
from lpff_ray.geometry.transforms import scale_of
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import read

NOTED_UPSAMPLING = 1.2  # pixels of a crop per pixel of the frame from which it is said to be enlarged

Row = dict[str, Any]
"""One row of `ExportFormat.rows`; its arrays are NumPy arrays: `bbox` float32 [4], `keypoints` float32 [5, 2]."""

Record = dict[str, Any]
"""What a format says of one thing that it made (a crop, say): plain JSON values, handed on to `finish`.

index: int, its position in the data set; no two records share one.
transform: for PROVENANCE.jsonl, from frame pixels to pixels of every one of the files made: [2, 3] affine, as lists.
    Left out where there is none.
transforms: instead of it, where the files differ: one for each of them, in their order.
The export adds what PROVENANCE.jsonl needs besides, where it is not there yet: `face_id`, `video_id`, `uri`,
`frame_index`, `pts_ns` (of FaceFormats; a ExportFormat's own `unit` gives them, as lists where one file holds many
frames), and, for all, `files`: the names of the files made.
"""


@dataclass(frozen=True)
class OutputFile:
    """One file. name: below DEST, parts joined by "/". content: chunks, for what may be larger than memory.

    Chunks are for `finish` alone: a generator of bytes, read once.
    """

    name: str
    content: bytes | Iterable[bytes]


@dataclass(frozen=True)
class OutputImage:
    """One image, uint8 [h, w, 3] RGB or [h, w] gray; the export encodes it, as its name ends: .png or .jpg."""

    name: str
    pixels: NDArray[np.uint8]


File = OutputFile | OutputImage


class ExportFormat(BaseModel, ABC):
    """A format. Frozen, picklable (it travels through Ray), and the same result for the same rows, every time.

    name: as in --format.
    columns: of the faces table, besides `face_id`, `video_id`, `uri`, `clip_id`, `frame_index` and `pts_ns`.
    needs_frames: whether `unit` is to be given an opened video.
    divisible: whether a video with many rows may be split into several units, by frames.
    packed: the units' files are only staged, below DEST/.lpff_ray/staged; `finish` packs them into what is meant to
        stay (a zip, tar shards), and they are removed once everything has been made.
    every_picture_counts: whether what reads the data set takes every picture that it finds below DEST.
    loading: how to load the data set, Markdown for its README.md, "" if there is nothing to say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ClassVar[str]
    columns: ClassVar[Sequence[str]] = ()
    needs_frames: ClassVar[bool] = True
    divisible: ClassVar[bool] = False
    loading: ClassVar[str] = ""

    @property
    def packed(self) -> bool:
        """See above; a property, since it may depend on an option."""
        return False

    @property
    def every_picture_counts(self) -> bool:
        """See above."""
        return False

    def split_files(self, split: str) -> str:
        """The glob of the files of a split ("" for none) that Hugging Face `datasets` loads; "" if it loads none."""
        return ""

    def rows(self, run: str, selection: pl.DataFrame) -> pl.DataFrame:
        """The faces that are to be made, one row each, in any order (the export sorts by video and frame).

        run: folder of the run. selection: as `schema.SELECTION`, by rank.
        Here: the selected faces with `columns` and the selection's own columns (`identity_id`, `bin`, `split`,
        `weight`, `copies`, `rank`, `reason`), and `index` = `rank`. An override must return at least `index`
        (int64, unique), `face_id`, `video_id`, `uri`, `frame_index` and `pts_ns`.
        """
        return selected_faces(run, selection, self.columns)

    @abstractmethod
    def unit(self, video: OpenedVideo | None, rows: pl.DataFrame) -> Iterator[tuple[list[File], Record]]:
        """Make what comes of one video (of a piece of it, if `divisible`).

        video: None if not `needs_frames`. rows: its rows of `rows`, by frame_index, then index.
        Yields what was made, file names unique over the whole data set, and its record. What is yielded is committed at
        once. Raises SegmentError if the video can not be read: it is reported, and the other videos go on.
        """

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        """The files that speak of the whole data set (dataset.json, lists), made when all units are done.

        made: where the units' files are: DEST, or, if `packed`, the staging folder; for reading.
        records: of all units, by index. What is missing (a lost video) has no record. Called again when a run is
        repeated, so the same records must give the same bytes.
        """
        return ()

    def notes(self, selection: pl.DataFrame, rows: pl.DataFrame, dest: Folder) -> list[str]:
        """What the printed summary is to say, a line each: what was left out and why, what is empty and how to fill it.

        selection: that was asked for. rows: what `rows` made of it. dest: DEST with its index files, for reading.
        """
        return []


class FaceFormat(ExportFormat):
    """A format that makes something of each face out of its frame. Frames are decoded once, in order."""

    max_upsampling: float | None = Field(
        default=None, gt=0, description="leave out crops that would be enlarged more times than this"
    )

    divisible: ClassVar[bool] = True

    @abstractmethod
    def make(self, frame: NDArray[np.uint8], row: Row) -> tuple[list[File], Record]:
        """Make what comes of one face.

        frame: uint8 [h, w, 3] RGB, turned as a player shows it; the pixels in which `bbox` and the like are given;
            shared by all faces of the frame: not to be written to. row: see Row.
        The record needs no `index` here: it is the row's, unless given. To skip the face, return ([], {}).
        """

    def unit(self, video: OpenedVideo | None, rows: pl.DataFrame) -> Iterator[tuple[list[File], Record]]:
        """See ExportFormat.unit. A frame that can not be decoded has no records; its faces count as lost."""
        assert video is not None
        of_frame: dict[int, list[Row]] = {}
        for row in as_rows(rows):
            of_frame.setdefault(row["frame_index"], []).append(row)
        for frame in video.frames(sorted(of_frame)):
            for row in of_frame[frame.index]:
                with video.timed("crop"):
                    files, record = self.make(frame.rgb, row)
                if files and (self.max_upsampling is None or upsampling(record) <= self.max_upsampling):
                    yield files, provenance(row) | record


def upsampling(record: Record) -> float:
    """Pixels of the crop per pixel of the frame, of the most enlarged of a record's files; 0 without a transform."""
    transforms = record.get("transforms") or [record.get("transform")]
    return max((scale_of(np.array(one)) for one in transforms if one), default=0.0)


def upsampling_notes(records: Sequence[Record], limit: float | None) -> list[str]:
    """What the summary is to say of crops that were enlarged, and of those that `limit` left out: a line or none.

    Half a pixel more is not worth a line: crops count that are enlarged by a fifth and more.
    """
    scales = np.array([upsampling(record) for record in records])
    enlarged = int((scales > NOTED_UPSAMPLING).sum())
    if not enlarged:
        return []
    hint = "" if limit is not None else "; --max-upsampling K leaves out what is enlarged more than K times"
    return [f"enlarged: {enlarged} of {len(records)} crops, the most {scales.max():.1f} times{hint}"]


def selected_faces(run: str, selection: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Selected faces with some of their columns of the faces table; see ExportFormat.rows. `index` is the rank."""
    always = ("face_id", "video_id", "uri", "clip_id", "frame_index", "pts_ns")
    faces = read.scan(run).select(list(dict.fromkeys([*always, *columns])))
    chosen = selection.lazy().with_columns(index=pl.col("rank"))
    return faces.join(chosen, "face_id", "inner").sort("index").collect()


def read_made(made: Folder, name: str) -> bytes:
    """A file of a unit, for `finish`. Raises UserError if it has gone since."""
    content = made.read(name)
    if content is None:
        raise UserError(
            f"{made.root}/{name}: was made and is gone; run the same command again to make it anew"
        )
    return content


def as_rows(table: pl.DataFrame) -> list[Row]:
    """The rows of a table as dictionaries, its columns of arrays as NumPy arrays (views, not to be written to)."""
    columns = {
        name: table[name].to_numpy() if isinstance(kind, pl.Array) else table[name].to_list()
        for name, kind in table.schema.items()
    }
    return [{name: values[position] for name, values in columns.items()} for position in range(len(table))]


def provenance(row: Row) -> Record:
    """Where a face came from: what PROVENANCE.jsonl says besides the transform and the files."""
    return {name: row[name] for name in ("index", "face_id", "video_id", "uri", "frame_index", "pts_ns")}
