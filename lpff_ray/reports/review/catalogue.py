"""The faces of a run as the review page has them: columns of numbers, one row per face, in the order of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.errors import UserError
from lpff_ray.tables import curated, schema
from lpff_ray.tables.read import scan
from lpff_ray.tables.review.actions import POSE_BINS
from lpff_ray.tables.run_folder import open_run_folder

NOTHING = np.iinfo(np.uint32).max
"""Stands for a missing identity, and in bytes, 255, for a missing bin."""
NO_BIN = 255
NUMBERS = {
    "yaw": "yaw",
    "pitch": "pitch",
    "azimuth": "azimuth",
    "elevation": "elevation",
    "iqa": "iqa",
    "sharpness": "sharpness",
    "brightness": "brightness",
    "face_px": "face_px",
    "det_score": "det_score",
    "pose_spread": "pose_spread",
}
"""Columns of the faces table that the page filters and sorts by."""
VOTES = ("left", "right", "up", "down")


@dataclass(frozen=True)
class Catalogue:
    """Faces by row.

    columns: arrays [n] by name: `video`, `identity`, `track` (uint32, positions in the lists below), `frame` (uint32),
    `face` (uint16), `seconds` and those of NUMBERS (float32, NaN where unknown), `likeness` (float32, cosine of the
    embedding with its identity's mean), `bin` (uint8, in POSE_BINS), `kept` (uint8, 0 for a duplicate). votes: how many
    estimators see the face turned that way, uint8 [n] by VOTES.
    identities: ids, empty before `dedupe`.
    """

    out: str
    face_ids: list[str]
    segment_ids: pl.Series
    columns: dict[str, NDArray[Any]]
    votes: dict[str, NDArray[np.uint8]]
    videos: list[dict[str, str]]
    tracks: list[str]
    identities: list[str]
    selections: list[str]
    row_of: dict[str, int]

    def __len__(self) -> int:
        return len(self.face_ids)

    def selection_rows(self, name: str) -> NDArray[np.uint32]:
        """The rows of a selection's faces, by rank. Raises UserError if there is none of that name."""
        chosen = curated.selection(self.out, name)["face_id"]
        rows = (self.row_of.get(face_id) for face_id in chosen)
        return np.array([row for row in rows if row is not None], np.uint32)

    def face(self, row: int) -> dict[str, Any]:
        """What the page says of one face besides its columns."""
        face_id = self.face_ids[row]
        wanted = [
            "face_id",
            "uri",
            "clip_id",
            "pts_ns",
            "frame_width",
            "frame_height",
            "bbox",
            "roll",
            "tilt",
        ]
        columns = [*wanted, "pose_bin_strict", "pose_bin_fine", "pose_votes"]
        found = scan(self.out).filter(pl.col("face_id") == face_id).select(columns).collect()
        return dict(found.row(0, named=True)) if len(found) else {}


def read_catalogue(out: str) -> Catalogue:
    """The faces of a run now. Raises UserError if `out` holds no run, or no face."""
    folder = open_run_folder(out)
    votes = pl.col("pose_votes")
    faces = (
        scan(out)
        .select(
            *(
                "face_id",
                "video_id",
                "uri",
                "clip_id",
                "frame_index",
                "pts_ns",
                "face_index",
                "segment_id",
                "track_id",
            ),
            *NUMBERS.values(),
            "pose_bin",
            "embedding",
            *(
                votes.list.eval(test).list.sum().fill_null(0).cast(pl.UInt8).alias(name)
                for name, test in {
                    "left": pl.element().struct.field("yaw") > 0,
                    "right": pl.element().struct.field("yaw") < 0,
                    "up": pl.element().struct.field("pitch") > 0,
                    "down": pl.element().struct.field("pitch") < 0,
                }.items()
            ),
        )
        .collect()
    )
    if faces.is_empty():
        raise UserError(f"{out}: no face has been mined yet; run lpff-ray status {out}")
    faces = _with_marks(out, faces)
    videos, tracks = _coded(faces["video_id"]), _coded(faces["track_id"])
    identities = _coded(faces["identity_id"])
    named = faces.unique("video_id", maintain_order=True).select("video_id", "uri", "clip_id")
    columns: dict[str, NDArray[Any]] = {
        "video": videos[1],
        "identity": identities[1],
        "track": tracks[1],
        "frame": faces["frame_index"].cast(pl.UInt32).to_numpy(),
        "face": faces["face_index"].cast(pl.UInt16).to_numpy(),
        "seconds": (faces["pts_ns"] / 1e9).cast(pl.Float32).to_numpy(),
        **{name: _floats(faces[column]) for name, column in NUMBERS.items()},
        "likeness": _likeness(faces["embedding"], identities[1], len(identities[0])),
        "bin": bin_numbers(faces["pose_bin"]),
        "kept": faces["keep"].fill_null(True).cast(pl.UInt8).to_numpy(),
    }
    face_ids = faces["face_id"].to_list()
    return Catalogue(
        out=out,
        face_ids=face_ids,
        segment_ids=faces["segment_id"].cast(pl.Categorical),
        columns=columns,
        votes={name: faces[name].to_numpy() for name in VOTES},
        videos=[_named(*row) for row in named.iter_rows()],
        tracks=tracks[0],
        identities=identities[0],
        selections=[name.removesuffix(".parquet") for name in folder.names(curated.SELECTIONS, ".parquet")],
        row_of={face_id: row for row, face_id in enumerate(face_ids)},
    )


def bin_numbers(bins: pl.Series) -> NDArray[np.uint8]:
    """Positions in POSE_BINS, NO_BIN for null and other names."""
    numbers = {name: number for number, name in enumerate(POSE_BINS)}
    return bins.replace_strict(numbers, default=NO_BIN, return_dtype=pl.UInt8).fill_null(NO_BIN).to_numpy()


def _with_marks(out: str, faces: pl.DataFrame) -> pl.DataFrame:
    """Faces with `identity_id` and `keep` of the last dedupe, and the tracks that it joined; null before the first."""
    folder = open_run_folder(out)
    found = folder.table(curated.table_file("dedupe"), f"remove it and run lpff-ray dedupe {out}")
    marks = schema.frame({}, schema.DEDUPE) if found is None else schema.conformed(found, schema.DEDUPE)
    marks = marks.select("face_id", "identity_id", "keep", "stitched_track_id")
    return faces.join(marks, on="face_id", how="left", maintain_order="left").with_columns(
        pl.coalesce("stitched_track_id", "track_id").alias("track_id")
    )


def _coded(names: pl.Series) -> tuple[list[str], NDArray[np.uint32]]:
    """The different names in the order in which they come first, and the position of each [n]; NOTHING for null."""
    distinct = names.drop_nulls().unique(maintain_order=True)
    numbers = pl.Series(range(len(distinct)), dtype=pl.UInt32)
    table = pl.DataFrame({"name": distinct, "number": numbers})
    found = pl.DataFrame({"name": names}).join(table, on="name", how="left", maintain_order="left")
    return distinct.to_list(), found["number"].fill_null(int(NOTHING)).to_numpy()


def _floats(column: pl.Series) -> NDArray[np.float32]:
    return column.cast(pl.Float32).fill_null(float("nan")).to_numpy()


def _likeness(embeddings: pl.Series, identity: NDArray[np.uint32], count: int) -> NDArray[np.float32]:
    """Cosine of every embedding with the mean of its identity's [n]; NaN without either."""
    result = np.full(len(identity), np.nan, np.float32)
    rows = np.flatnonzero((identity != NOTHING) & embeddings.is_not_null().to_numpy())
    if not len(rows):
        return result
    vectors = embeddings.gather(rows).to_numpy().astype(np.float32, copy=False)
    order = np.argsort(identity[rows], kind="stable")
    starts = np.searchsorted(identity[rows][order], np.arange(count))
    sums = np.zeros((count, vectors.shape[1]), np.float32)
    there = np.append(starts[1:], len(rows)) > starts
    sums[there] = np.add.reduceat(vectors[order], starts[there], axis=0)
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    means = np.divide(sums, norms, out=np.zeros_like(sums), where=norms > 0)
    result[rows] = np.einsum("nd,nd->n", vectors, means[identity[rows]])
    return result


def _named(video_id: str, uri: str | None, clip_id: str | None) -> dict[str, str]:
    """What the page calls a video: its clip, or its file."""
    name = clip_id or (uri or video_id).rstrip("/").rsplit("/", 1)[-1]
    return {"id": video_id, "name": name, "uri": uri or ""}


def chosen_ids(catalogue: Catalogue, rows: Sequence[int]) -> list[str]:
    """The ids of the faces in these rows. Raises UserError for a row that is none."""
    count = len(catalogue)
    if any(type(row) is not int or not 0 <= row < count for row in rows):
        raise UserError("no such face: load the page again")
    return [catalogue.face_ids[row] for row in rows]
