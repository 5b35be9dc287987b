"""EFHQ's tables: per-frame metadata of every clip, in the columns that EFHQ's own scripts read.

Layout: `csv/CLIP.csv` and `parquet/CLIP.parquet` per clip, `merged.parquet` of all, `columns.json` on what is in them.
With `by_bin`, `csv/BIN/CLIP.csv`, which is what EFHQ's scripts for CSVs read (they take the bin from the folder).
With `aligned`, `aligned/CLIP/FRAME_N.png` as well, FFHQ's crop of each face, N from 0 in its frame, beside it
`FRAME_N.txt` with five points, and the column `aligned_path`: what EFHQ's sampler (`cli_sample_gan.py`) copies.
Source: VinAIResearch/EFHQ, `2_merging/vfhq/cli.py` (`vfhq_directmhp_merge`, `vfhq_combine_multiid_into_one`, `binning`,
`poseizer_stepbin`, `csvs_to_parquet`), `2_merging/align`, and who reads them (`3_align_sample`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from lpff_ray.exports.format import (
    ExportFormat,
    File,
    OutputFile,
    OutputImage,
    Record,
    Row,
    as_rows,
    provenance,
    read_made,
    selected_faces,
)
from lpff_ray.exports.imaging.alignment import face_quad, ffhq_crop, quad_transform
from lpff_ray.exports.lists.bins import selected_bin
from lpff_ray.exports.lists.published import as_published
from lpff_ray.exports.lists.tracks import track_number
from lpff_ray.exports.names import clip_names
from lpff_ray.exports.video import OpenedVideo
from lpff_ray.geometry.transforms import apply
from lpff_ray.measure.pose.bins import bin_of
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import curated
from lpff_ray.tables.schema import parquet_bytes

# EFHQ's names of its three estimators. Its sampling orders frames by `synergy`'s angles: the best of ours goes there.
SLOTS = ("synergy", "poseanh", "mhp")
ALIGNED = "aligned"
ANGLES = ("yaw", "pitch", "roll")

EFHQ_COLUMNS = (
    *("frameid", "idx", "x1", "y1", "x2", "y2", "iqa"),
    *(f"{slot}_{angle}" for slot in SLOTS for angle in ANGLES),
    *("lmks5pts", "lmks68pts", "user_id", "video_id"),
    *(f"{slot}_bin" for slot in SLOTS),
    *("hardbin", "softbin", "smallbin"),
)
"""What EFHQ's merged tables have, in their order (`idx`, a face's number in its frame, is in those per clip alone)."""

MEASURED = ("pose_spread", "det_score", "sharpness", "brightness")
OUR_COLUMNS = ("face_id", "uri", "pts_ns", *ANGLES, *MEASURED, "split", "weight", "copies", "rank")
"""What stands behind them, as in the faces table and the selection. ANGLES: of all estimators together."""


# How far the square around a face's points is widened to the left, top, right and bottom, in half sides; that must lie
# in the frame (EFHQ, 2_merging/align/face_align.py).
WIDENED = (1.4255, 2.0591, 1.6423, 1.3087)


class EfhqTables(ExportFormat):
    """`--format efhq`. Reads tables only and decodes nothing, unless `aligned` is set.

    by_bin: a table per clip and soft bin, in a folder per bin, as after EFHQ's review of its bins by hand.
    clips: what a clip is, EFHQ's `video_id`: a video, or a track, of one person as VFHQ's clips are: EFHQ's sampler
    reads one face of a frame of a clip. aligned: side of aligned pictures, pixels, EFHQ's 1024; 0 makes none.
    inside: with aligned, leave faces out whose surroundings leave the frame, as EFHQ does.
    """

    by_bin: bool = Field(default=False, description="a table per clip and bin, in a folder per bin")
    clips: Literal["video", "track"] = Field(default="video", description="what video_id names")
    aligned: int = Field(
        default=0, ge=0, le=2048, description="side of aligned pictures beside the tables, pixels; 0: none"
    )
    inside: bool = Field(
        default=True,
        description="with aligned: leave faces out whose surroundings leave the frame, as EFHQ does",
    )

    name: ClassVar[str] = "efhq"
    loading: ClassVar[str] = (
        '`polars.read_parquet("DEST/merged.parquet")`, or the tables of each clip in `parquet/` and `csv/`.'
    )
    columns: ClassVar[tuple[str, ...]] = (
        *("landmarks", "keypoints", "face_px", "yaw", "pitch", "roll", "face_index", "bbox", "iqa"),
        *("pose_votes", "pose_bin", "pose_bin_strict", "pose_bin_fine"),
        *MEASURED,
    )

    @property
    def needs_frames(self) -> bool:  # type: ignore[override]  # a constant in the other formats
        """Only for aligned pictures."""
        return self.aligned > 0

    def rows(self, run: str, selection: pl.DataFrame) -> pl.DataFrame:
        """All selected faces, the name of their clip, `clip`, and what it calls them, `frameid` and `idx`."""
        faces = selected_faces(run, selection, self.columns)
        videos = faces.select("video_id", "uri", "clip_id").unique().sort("video_id", "uri", "clip_id")
        faces = faces.with_columns(
            clip=pl.col("video_id").replace_strict(clip_names(videos.iter_rows())),
            points_in_frame="keypoints",  # of aligned pictures, which are cut out of frames
            landmarks_in_frame="landmarks",
        )
        faces = as_published(run, faces)
        if self.clips == "track":
            marks = curated.dedupe_marks(run).select("face_id", track="stitched_track_id")
            faces = faces.join(marks, "face_id", "left", maintain_order="left").with_columns(
                clip=pl.struct("clip", "track", "video_id").map_elements(_clip_of_track, pl.String)
            )
        return faces.with_columns(
            aligned_path=pl.format(
                "{}/{}_{}.png",
                "clip",
                pl.col("frameid").cast(pl.String).str.zfill(8),
                pl.col("idx").rank("ordinal").over("clip", "frameid") - 1,
            )
            if self.aligned
            else None
        )

    def unit(self, video: OpenedVideo | None, rows: pl.DataFrame) -> Iterator[tuple[list[File], Record]]:
        """The aligned pictures, if asked for, and the two tables of each clip, or of each of its bins."""
        if video is not None:
            made = list[str]()
            for files, record in self._pictures(video, rows):
                made.append(record["face_id"])
                yield files, record
            rows = rows.filter(pl.col("face_id").is_in(made))  # EFHQ's tables have no row without its picture
        for clip in rows.partition_by("clip", maintain_order=True):
            yield self._tables(clip)

    def _pictures(self, video: OpenedVideo, rows: pl.DataFrame) -> Iterator[tuple[list[File], Record]]:
        of_frame: dict[int, list[Row]] = {}
        for row in as_rows(rows):
            of_frame.setdefault(row["frame_index"], []).append(row)
        for frame in video.frames(sorted(of_frame)):
            for row in of_frame[frame.index]:
                if self.inside and not surroundings_inside(row["landmarks_in_frame"], *frame.rgb.shape[:2]):
                    continue
                with video.timed("crop"):
                    quad = face_quad(row["points_in_frame"])
                    transform = quad_transform(quad, self.aligned)
                    crop = ffhq_crop(frame.rgb, quad, self.aligned)
                five = (
                    apply(transform, np.asarray(row["points_in_frame"], np.float64)) - 0.5
                )  # centres at whole numbers
                text = "".join(f"{x:.2f} {y:.2f}\n" for x, y in five.tolist())
                path = f"{ALIGNED}/{row['aligned_path']}"
                files: list[File] = [
                    OutputImage(path, crop),
                    OutputFile(path.removesuffix("png") + "txt", text.encode()),
                ]
                yield files, provenance(row) | {"transform": transform.tolist()}

    def _tables(self, rows: pl.DataFrame) -> tuple[list[File], Record]:
        table, clip = efhq_table(rows), rows["clip"][0]
        first = int(rows["index"].min())  # type: ignore[arg-type]  # of a column of whole numbers
        record = {
            # Beside pictures, which are the faces' own: theirs are the numbers, and the count of faces.
            "index": -1 - first if self.aligned else first,
            "face_id": [] if self.aligned else rows["face_id"].to_list(),
            "video_id": rows["video_id"][0],
            "uri": rows["uri"][0],
            "frame_index": rows["frame_index"].to_list(),
            "pts_ns": rows["pts_ns"].to_list(),
            "estimators": _estimators(rows),
        }
        parts = table.partition_by("softbin", maintain_order=True) if self.by_bin else [table]
        files: list[File] = []
        for part in parts:
            path = f"{part['softbin'][0]}/{clip}" if self.by_bin else clip
            files.append(OutputFile(f"csv/{path}.csv", part.write_csv().encode()))
            files.append(OutputFile(f"parquet/{path}.parquet", parquet_bytes(part)))
        return files, record

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        """The merged table, and what its columns hold."""
        clips = [record for record in records if "estimators" in record]
        if not clips:
            return
        names = sorted(name for record in records for name in record["files"] if name.endswith(".parquet"))
        tables = [pl.read_parquet(io.BytesIO(read_made(made, name))) for name in names]
        yield OutputFile("merged.parquet", parquet_bytes(pl.concat(tables, how="diagonal")))
        yield OutputFile(
            "columns.json", json.dumps(_columns(clips[0]["estimators"]), indent=2).encode() + b"\n"
        )

    def notes(self, selection: pl.DataFrame, rows: pl.DataFrame, dest: Folder) -> list[str]:
        """What EFHQ's sampler will not find."""
        several = int((rows.group_by("clip", "frame_index").len()["len"] > 1).sum())
        if not (self.aligned and several):
            return []
        return [
            f"{several} frames hold several selected faces: EFHQ's sampler reads the first alone (FRAME_0.png); with "
            "--set clips=track each track is a clip"
        ]


def surroundings_inside(landmarks: NDArray, height: int, width: int) -> bool:
    """Whether the square around a face's 68 points [68, 3], WIDENED, lies in the frame."""
    points = np.asarray(landmarks, np.float64).reshape(68, 3)[:, :2]
    low, high = points.min(0), points.max(0)
    middle, half = (low + high) / 2, float((high - low).max()) / 2
    left, top = np.round(middle - half * np.array(WIDENED[:2]))
    right, bottom = np.round(middle + half * np.array(WIDENED[2:]))
    return bool(left >= 0 and top >= 0 and right <= width and bottom <= height)


def _clip_of_track(row: dict[str, str]) -> str:
    """A clip's name of its video's and its track's."""
    return f"{row['clip']}-{track_number(row['track'], row['video_id'])}" if row["track"] else row["clip"]


def efhq_table(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the faces table and a selection in EFHQ_COLUMNS and OUR_COLUMNS.

    Points are texts of lists, as EFHQ's are: `lmks5pts` "[x, y, ...]", image-left eye first; `lmks68pts` all x, all y,
    then all z. Angles of estimators past the third, plug-ins, follow as `NAME_yaw` and so on.
    """
    points = rows["landmarks"].to_numpy()
    box = rows["bbox"].to_numpy()
    table = rows.select(
        frameid="frameid",
        idx="idx",
        **{name: _rounded(box[:, position]) for position, name in enumerate(("x1", "y1", "x2", "y2"))},
        iqa=_rounded(rows["iqa"].to_numpy()),
        lmks5pts=_texts(rows["keypoints"].to_numpy().reshape(-1, 10)),
        lmks68pts=_texts(points.transpose(0, 2, 1).reshape(-1, 204)),
        user_id="identity_id",
        video_id="clip",
        hardbin="pose_bin_strict",
        softbin=selected_bin(),
        smallbin="pose_bin_fine",
        **{name: pl.col(name) for name in OUR_COLUMNS},
        **({"aligned_path": pl.col("aligned_path")} if rows["aligned_path"].count() else {}),
    )
    votes: dict[str, pl.Series] = {}
    names = [*SLOTS, *_estimators(rows)[len(SLOTS) :]]
    for position, name in enumerate(names):
        vote = rows["pose_votes"].list.get(position, null_on_oob=True)
        angles = {angle: vote.struct.field(angle).to_numpy() for angle in ANGLES}
        votes |= {f"{name}_{angle}": _rounded(values) for angle, values in angles.items()}
        # Of the votes as they were measured: rounded, 44.997 degrees would lie in another bin than `hardbin` says.
        bins = [str(bin_of(*vote)) for vote in zip(angles["yaw"], angles["pitch"], strict=True)]
        votes[f"{name}_bin"] = pl.Series(bins, dtype=pl.String)
    table = table.with_columns(**votes)
    return table.select(*EFHQ_COLUMNS, pl.exclude(EFHQ_COLUMNS)).sort("frameid", "idx")


def _estimators(rows: pl.DataFrame) -> list[str]:
    return [str(vote["estimator"]) for vote in rows["pose_votes"][0]]


def _columns(estimators: list[str]) -> dict[str, Any]:
    return {
        "efhq": list(EFHQ_COLUMNS),
        "added": list(OUR_COLUMNS),
        "estimators": dict(zip([*SLOTS, *estimators[len(SLOTS) :]], estimators, strict=True)),
        "notes": {
            "estimators": "whose angles stand under EFHQ's names of its estimators: SynergyNet, FacePoseNet and "
            "DirectMHP themselves did not vote",
            "iqa": "on the run's own scale unless it was mined with --iqa hyperiqa; EFHQ's 42 is HyperIQA's",
            "lmks5pts": "x, y of image-left eye, image-right eye, nose tip, image-left and image-right mouth corner",
            "lmks68pts": "68 x, then 68 y, then 68 z, in pixels; past 60 degrees of yaw those of a head model",
            "frameid": "in the order of presentation, from 0, in the whole video; of a rebuilt run as published, "
            "and so are boxes and points",
        },
    }


def _rounded(values: NDArray[np.floating]) -> pl.Series:
    return pl.Series(np.round(values.astype(np.float64), 2))


def _texts(numbers: NDArray[np.floating]) -> pl.Series:
    rows = np.round(numbers.astype(np.float64), 2).tolist()
    return pl.Series([json.dumps(row) for row in rows], dtype=pl.String)
