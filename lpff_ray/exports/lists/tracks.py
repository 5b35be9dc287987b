"""The tracks that a selection touches, and stretches of them, for formats that make something of whole tracks."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import polars as pl

from lpff_ray.decode import Frame
from lpff_ray.exports.format import Record
from lpff_ray.exports.lists.reviewed import REJECTED
from lpff_ray.exports.names import clip_names
from lpff_ray.exports.video import OpenedVideo
from lpff_ray.tables import curated, read
from lpff_ray.tables.review.state import review_state


def track_faces(run: str, selection: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Every measured face, selected or not, of the tracks that selected faces belong to; as ExportFormat.rows must be.

    Tracks are those of `dedupe`, joined across segment borders, in the order of their best rank; within a track, faces
    are in order of time, and `index` counts on. Where a reviewer rejected a face or split it off, the track ends, and
    another one begins behind it, `TRACK.1` and so on; `pose_bin` is the reviewer's where there is one. Besides
    `columns`: `track` (its id), `clip` (a name for its video that can name a file), `selected`, and of the selection,
    one value for the whole track, `identity_id` and `split`.
    Raises UserError if `run` was never deduped.
    """
    always = ["face_id", "video_id", "uri", "clip_id", "frame_index", "pts_ns", "face_index"]
    marks = curated.dedupe_marks(run).select("face_id", whole_track="stitched_track_id")
    chosen = selection.select("face_id", "identity_id", "split", "rank")
    touched = marks.join(chosen, "face_id").select("whole_track").unique()
    wanted = list(dict.fromkeys([*always, *columns]))
    faces = _cut_by_review(
        run,
        read.scan(run).select(wanted).join(marks.join(touched, "whole_track").lazy(), "face_id").collect(),
    )
    tracks = (
        chosen.join(faces.select("face_id", "track"), "face_id")
        .sort("rank")
        .group_by("track")
        .agg(pl.col("identity_id", "split").first(), pl.col("rank").first())
    )
    faces = (
        faces.join(tracks, "track")
        .with_columns(selected=pl.col("face_id").is_in(chosen["face_id"].implode()))
        .sort("rank", "frame_index", "face_index")
    )
    names = clip_names(faces.select("video_id", "uri", "clip_id").unique().sort("video_id").iter_rows())
    return faces.with_columns(
        index=pl.int_range(pl.len(), dtype=pl.Int64),
        clip=pl.col("video_id").replace_strict(names, return_dtype=pl.String),
    ).drop("rank", "face_index")


def _cut_by_review(run: str, faces: pl.DataFrame) -> pl.DataFrame:
    """Faces with `track`, a piece of their `whole_track` that no rejected face and no change of identity interrupts."""
    state = review_state(run).select("face_id", "decision", now_bin="bin", person="identity_id")
    joined = (
        faces.join(state, on="face_id", how="left")
        .with_columns(rejected=REJECTED)
        .sort("whole_track", "frame_index", "face_index")
        .with_columns(stretch=pl.struct("rejected", "person").rle_id().over("whole_track"))
        .filter(~pl.col("rejected"))
        .with_columns(piece=(pl.col("stretch").rank("dense") - 1).over("whole_track"))
    )
    name = pl.format("{}.{}", "whole_track", "piece")
    bins = [pl.coalesce("now_bin", "pose_bin").alias("pose_bin")] if "pose_bin" in faces.columns else []
    return joined.with_columns(
        pl.when(pl.col("piece") == 0).then("whole_track").otherwise(name).alias("track"), *bins
    ).drop("whole_track", "decision", "now_bin", "person", "rejected", "stretch", "piece")


def track_notes(selection: pl.DataFrame, rows: pl.DataFrame) -> list[str]:
    """Why there are more faces than were selected, for ExportFormat.notes; rows: of `track_faces`."""
    selected, tracks = int(rows["selected"].sum()), rows["track"].n_unique()
    notes = [f"{len(rows)} faces: all that were measured of the {tracks} tracks of {selected} selected ones"]
    if selected < len(selection):
        notes.append(
            f"{len(selection) - selected} selected faces belong to no track; run lpff-ray dedupe again"
        )
    return notes


def by_track(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows of each track, in the order of their first frames."""
    ordered = rows.sort("frame_index", "index")
    yield from ordered.partition_by("track", maintain_order=True)


def track_number(track: str, video_id: str) -> str:
    """What tells a track from the others of its video, fit for a file name: "00002-1"."""
    return track.removeprefix(f"{video_id}-").replace(":", "-")


class Stretch(ABC):
    """Part of a track on its way into a file.

    faces: its rows, by frame. first, last: its frames, both included. frames, pts_ns: those taken in, and their times.
    """

    def __init__(self, faces: pl.DataFrame) -> None:
        self.faces = faces
        self.first, self.last = int(faces["frame_index"][0]), int(faces["frame_index"][-1])
        self.frames: list[int] = []
        self.pts_ns: list[int] = []

    @abstractmethod
    def take(self, frame: Frame) -> None:
        """Take in the next frame."""

    def record(self) -> Record:
        """What PROVENANCE.jsonl says of the files made of it."""
        first: dict[str, Any] = self.faces.row(0, named=True)
        return {
            "index": int(self.faces["index"].min()),  # type: ignore[arg-type]  # of a column of whole numbers
            "face_id": self.faces["face_id"].to_list(),
            "video_id": first["video_id"],
            "uri": first["uri"],
            "frame_index": self.frames,
            "pts_ns": self.pts_ns,
            "track": first["track"],
            "identity": first["identity_id"],
            "split": first["split"],
            "frames": len(self.frames),
            "first_frame": self.frames[0],
            "last_frame": self.frames[-1],
            "faces": len(self.faces),
        }


AnyStretch = TypeVar("AnyStretch", bound=Stretch)


def in_one_pass(video: OpenedVideo, stretches: Iterable[AnyStretch]) -> Iterator[AnyStretch]:
    """Give every stretch its frames, decoding each once; yields those complete, none that got no frame at all."""
    waiting = sorted(stretches, key=lambda stretch: stretch.first)
    begun: list[AnyStretch] = []
    for frame in video.frames(sorted({i for part in waiting for i in range(part.first, part.last + 1)})):
        # A last frame that can not be decoded never comes: what ends a stretch is a later frame.
        for ended in [stretch for stretch in begun if stretch.last < frame.index]:
            begun.remove(ended)
            yield ended
        while waiting and waiting[0].first <= frame.index:
            stretch = waiting.pop(0)
            if frame.index <= stretch.last:
                begun.append(stretch)
        for stretch in begun:
            stretch.take(frame)
            stretch.frames.append(frame.index)
            stretch.pts_ns.append(frame.pts_ns)
    yield from begun


def csv_of(records: Iterable[Record], columns: Mapping[str, Any]) -> bytes:
    """Columns (name to Polars type) of records as CSV, a line each, by the first column."""
    lines = [{name: record[name] for name in columns} for record in records]
    content = io.BytesIO()
    pl.DataFrame(lines, schema=dict(columns)).sort(next(iter(columns))).write_csv(content)
    return content.getvalue()
