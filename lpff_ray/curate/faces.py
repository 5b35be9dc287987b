"""The columns of the faces table that identities and duplicates are found by, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.curate.duplicates.expressions import expression_column
from lpff_ray.geometry.rotation import matrix_from_angles
from lpff_ray.tables.schema import SORT_KEY

COLUMNS: tuple[str | pl.Expr, ...] = (
    "face_id",
    "video_id",
    "frame_index",
    "face_index",
    "pts_ns",
    "segment_id",
    "track_id",
    "bbox",
    "det_score",
    "yaw",
    "pitch",
    "roll",
    "face_px",
    "iqa",
    "embedding",
    "phash",
    expression_column(),
)
NEEDED = ("pts_ns", "segment_id", "track_id", "bbox", "embedding", "phash")
"""Of these, what no face can be compared without. Readers fill what a run of an older version lacks with nulls."""
# Pixels of a face's shorter side beyond which more pixels add no quality: EFHQ keeps faces of 256 x 256 and more; the
# embedding network's crop shows the face about 128 pixels wide.
BEST_PX, CLEAR_PX = 256.0, 128.0
CLEAR = 0.5  # clarity from which a face says well who it is. Evidence: docs/evidence/identity.md#clarity


@dataclass(frozen=True)
class Faces:
    """The columns that curation reads, sorted as the faces table is. n faces, embeddings of d numbers.

    ids: face_id, segment_id, track_id. video: int64 [n], 0, 1, ... in the order of the table. frame, pts_ns: int64 [n].
    boxes: float32 [n, 4], pixels. embedding: float32 [n, d], unit length. rotation: float32 [n, 3, 3]. yaw: float32
    [n], degrees. phash: uint64 [n]. expression: float32 [n, m], as `expressions.expression` says.
    quality: float32 [n], 0..100. clarity: float32 [n], 0..1, how well the face says who it is.
    """

    ids: pl.DataFrame
    video: NDArray[np.int64]
    frame: NDArray[np.int64]
    pts_ns: NDArray[np.int64]
    boxes: NDArray[np.float32]
    embedding: NDArray[np.float32]
    rotation: NDArray[np.float32]
    yaw: NDArray[np.float32]
    phash: NDArray[np.uint64]
    expression: NDArray[np.float32]
    quality: NDArray[np.float32]
    clarity: NDArray[np.float32]


def face_arrays(table: pl.DataFrame) -> Faces:
    """Faces out of a table with COLUMNS, in any order."""
    if len(table) and not _is_sorted(table):
        table = table.sort(SORT_KEY)
    yaw, pitch, roll, det, px, iqa = (
        table[name].fill_null(0.0).fill_nan(0.0).to_numpy()
        for name in ("yaw", "pitch", "roll", "det_score", "face_px", "iqa")
    )
    ids = table.select("face_id", "video_id", "segment_id", "track_id")
    frontal = np.clip(np.cos(np.radians(yaw)) * np.cos(np.radians(pitch)), 0, 1)
    return Faces(
        ids=ids,
        video=first_seen_numbers(table["video_id"]),
        frame=table["frame_index"].to_numpy(),
        pts_ns=table["pts_ns"].to_numpy(),
        boxes=_matrix(table["bbox"]),
        embedding=_matrix(table["embedding"]),
        rotation=matrix_from_angles(yaw, pitch, roll).astype(np.float32),
        yaw=yaw,
        phash=table["phash"].to_numpy(),
        expression=_matrix(table["expression"]),
        quality=(iqa * det * np.minimum(1, px / BEST_PX)).astype(np.float32),
        clarity=(iqa / 100 * det * np.minimum(1, px / CLEAR_PX) * frontal**2).astype(np.float32),
    )


def first_seen_numbers(column: pl.Series) -> NDArray[np.int64]:
    """Numbers 0, 1, ... for a column's values, in the order in which they first appear."""
    return renumbered(column.rank("dense").to_numpy().astype(np.int64) - 1)


def renumbered(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers made 0, 1, ... in the order in which they first appear."""
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[inverse]


def unit_length(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows [n, d] scaled to unit length."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _matrix(column: pl.Series) -> NDArray[np.float32]:
    """float32 [n, width] of an array column, also if it has no rows."""
    width = column.dtype.shape[0] if isinstance(column.dtype, pl.Array) else 0
    return column.to_numpy().astype(np.float32, copy=False).reshape(-1, width)


def _is_sorted(table: pl.DataFrame) -> bool:
    follows = pl.lit(False)
    for name in reversed(SORT_KEY):
        value, before = pl.col(name), pl.col(name).shift(1)
        follows = (value > before) | ((value == before) & follows)
    return bool(table.select(follows.fill_null(True).all()).item())
