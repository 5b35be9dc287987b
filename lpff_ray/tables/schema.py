"""The columns of every table of a run, and the version of them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.measure import columns as measured_columns

SCHEMA_VERSION = 1
"""Raised when older tables can not be read any more, or older releases would misread newer ones."""
SCHEMA_MINOR = 3
"""Raised when a table gains a column. Columns that an older minor version lacks are read as nulls, those that a newer
one has in addition are ignored. 1: `log` in QUARANTINE. 2: `azimuth`, `elevation` and `tilt` in the faces table,
`track_*` in DEDUPE. 3: `manifest` in PLAN, `first_frame` in
SEGMENTS."""

_STAGE_SECONDS = {
    f"seconds_{stage}": pl.Float32()
    for stage in ("open", "decode", "detect", "landmarks", "pose", "quality", "embed", "total")
}

_KEYS = pl.Schema(
    {
        "face_id": pl.String(),
        "video_id": pl.String(),
        "uri": pl.String(),
        "clip_id": pl.String(),
        "frame_index": pl.Int64(),
        "pts_ns": pl.Int64(),
        "face_index": pl.Int16(),
        "segment_id": pl.String(),
        "track_id": pl.String(),
    }
)


def faces(embedding_width: int, extra: Mapping[str, pl.DataType] | None = None) -> pl.Schema:
    """The faces table: keys, and what measuring makes (`measure.columns`, and a run's `extra` columns of
    other packages' measures).

    One row per face per sampled frame, sorted by SORT_KEY. Units and frames of reference: docs/tables.md.
    """
    return pl.Schema({**_KEYS, **measured_columns.measured(embedding_width), **(extra or {})})


FACES = faces(measured_columns.EMBEDDING_WIDTH)
"""The faces table of the default configuration."""

SORT_KEY = ("video_id", "frame_index", "face_index")

SEGMENTS = pl.Schema(
    {
        "segment_id": pl.String(),
        "video_id": pl.String(),
        "start_ns": pl.Int64(),
        "end_ns": pl.Int64(),
        "decoder": pl.String(),
        "attempt": pl.Int16(),
        "frames_wanted": pl.Int64(),
        "frames_looked_at": pl.Int64(),
        "frames_missing": pl.Int64(),
        "faces": pl.Int64(),
        "faces_rejected": pl.Int64(),
        "shots": pl.Int32(),
        "note": pl.String(),
        "first_frame": pl.Int64(),
        **_STAGE_SECONDS,
    }
)
"""One row per mined segment. frames_looked_at: frames that were measured. faces_rejected: found, but below min_face_px
or min_det_score, or a second detection of a face. first_frame: index of the first frame of the clip's span, 0 for a
whole video, null if it holds no frame."""

QUARANTINE = pl.Schema(
    {
        "segment_id": pl.String(),
        "video_id": pl.String(),
        "uri": pl.String(),
        "stage": pl.String(),
        "kind": pl.String(),
        "message": pl.String(),
        "attempts": pl.Int16(),
        "decoder": pl.String(),
        "log": pl.String(),
    }
)
"""One row per segment that could not be mined. stage, kind, message, decoder: of its first attempt. log: the file below
the run's folder that holds the tracebacks, null if there is none."""

PLAN = pl.Schema(
    {
        "video_id": pl.String(),
        "uri": pl.String(),
        "clip_id": pl.String(),
        "identity": pl.String(),
        "kind": pl.String(),
        "status": pl.String(),
        "reason": pl.String(),
        "duplicate_of": pl.String(),
        "size_bytes": pl.Int64(),
        "container": pl.String(),
        "codec": pl.String(),
        "width": pl.Int32(),
        "height": pl.Int32(),
        "fps": pl.Float64(),
        "duration_s": pl.Float64(),
        "frames_expected": pl.Int64(),
        "start_s": pl.Float64(),
        "end_s": pl.Float64(),
        "crop": pl.Array(pl.Float32(), 4),
        "crop_unit": pl.String(),
        "segments": pl.Int32(),
        "manifest": pl.String(),
    }
)
"""One row per source as planned, mined or not; all but `manifest` are the first columns of the `videos` table.

manifest: a JSON object of the source's further columns, as its manifest or clip list has them; null if there are none.
crop: x0, y0, x1, y1 of the part of the frame that was asked for; crop_unit: "fraction" of the frame's width and height,
or "pixel" of the frame as shown."""

VIDEOS = pl.Schema(
    {
        **{name: kind for name, kind in PLAN.items() if name != "manifest"},
        "segments_done": pl.Int32(),
        "segments_quarantined": pl.Int32(),
        "frames_looked_at": pl.Int64(),
        "frames_missing": pl.Int64(),
        "faces": pl.Int64(),
        "decoder": pl.String(),
        **_STAGE_SECONDS,
    }
)
"""One row per source. `status`: done | partial (some segments quarantined) | failed (all) | pending | duplicate |
unreadable | not_media | refused. After these come the columns of the manifest, see `tables.read.videos`."""

IDENTITIES = pl.Schema(
    {
        "identity_id": pl.String(),
        "faces": pl.Int64(),
        "tracks": pl.Int32(),
        "videos": pl.Int32(),
        "best_face_id": pl.String(),
        "yaw_min": pl.Float32(),
        "yaw_max": pl.Float32(),
        "spread": pl.Float32(),
    }
)
"""One row per person that `dedupe` finds. spread: largest distance between two of its tracks' embeddings."""

DEDUPE = pl.Schema(
    {
        "face_id": pl.String(),
        "identity_id": pl.String(),
        "stitched_track_id": pl.String(),
        "keep": pl.Boolean(),
        "duplicate_of": pl.String(),
        "similarity": pl.Float32(),
        "rule": pl.String(),
        "track_azimuth": pl.Float32(),
        "track_elevation": pl.Float32(),
        "track_tilt": pl.Float32(),
        "track_bin": pl.String(),
    }
)
"""One row per face, in the order of the faces table. stitched_track_id: its track, joined across segment borders.
duplicate_of: the kept face that it repeats, null for a kept one; a kept face is never a duplicate (no chains).
track_*: the pose smoothed over the track, see `curate.track_pose`; degrees."""

VIDEO_DUPLICATES = pl.Schema(
    {
        "video_id": pl.String(),
        "uri": pl.String(),
        "duplicate_of": pl.String(),
        "duplicate_of_uri": pl.String(),
        "offset_s": pl.Float64(),
        "overlap_s": pl.Float64(),
        "faces": pl.Int64(),
        "agreement": pl.Float32(),
    }
)
"""One row per clip that repeats another one, re-encoded, trimmed or cropped. offset_s: add it to a time of the clip for
the same moment of `duplicate_of`; overlap_s: how long both show the same; agreement: share of the `faces` compared
there that `duplicate_of` shows at that moment. Exact copies are no rows here: the plan leaves them out."""

SELECTION = pl.Schema(
    {
        "face_id": pl.String(),
        "identity_id": pl.String(),
        "bin": pl.String(),
        "split": pl.String(),
        "weight": pl.Float64(),
        "copies": pl.Int32(),
        "rank": pl.Int64(),
        "reason": pl.String(),
    }
)
"""One row per selected face, sorted by rank (0, 1, ...: the order in which exports number them). split: train | test,
by identity. weight: of the face in training; copies: how often a rebalanced list names it."""

HANDWRITTEN_REVIEW = pl.Schema(
    {"face_id": pl.String(), "decision": pl.String(), "bin": pl.String(), "note": pl.String()}
)
"""The table of review marks that a person writes. decision: accept | reject; bin: the pose bin to move the face to."""

REVIEW = pl.Schema({**HANDWRITTEN_REVIEW, **dict.fromkeys(("identity_id", "reviewer", "time"), pl.String())})
"""What reviewers decided: one row per face, all marks folded into one. decision: accept | reject; bin: where the face
was moved; identity_id: where merging or splitting gave it another one than `dedupe`; reviewer, time (UTC, ISO 8601): of
the last decision or move; null where nothing was said."""

THUMBNAILS = pl.Schema({"face_id": pl.String(), "jpeg": pl.Binary(), "region": pl.Array(pl.Float32(), 4)})
"""One row per face that has a thumbnail. jpeg: square, upright as the frame is, black outside of it. region: x0, y0,
x1, y1, what it shows in pixels of the frame."""

REBUILT = pl.Schema(
    {
        **{"clip": pl.String(), "frameid": pl.Int64(), "idx": pl.Int64()},
        **{"outcome": pl.String(), "face_id": pl.String(), "iou": pl.Float64()},
        **{"bin": pl.String(), "iqa": pl.Float64(), "user_id": pl.String()},
        **{"video_id": pl.String(), "frame_index": pl.Int64(), "box": pl.Array(pl.Float64(), 4)},
        **{"origin": pl.Array(pl.Float64(), 2), "scale": pl.Array(pl.Float64(), 2)},
        **{"file": pl.String(), "row": pl.Int64()},
    }
)
"""One row per face that published metadata names, in its order. clip, frameid, idx, bin, iqa, user_id: as published, in
`row` of `file`. outcome: what became of it, see `curate.rebuild.matching.Outcome`; face_id, iou: the face that was
found. box: the published one in pixels of the frame; a published point is there at origin + scale * (x, y)."""


def frame(
    columns: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]], schema: pl.Schema
) -> pl.DataFrame:
    """A table with exactly the schema's columns, in its order; columns that are not given are null."""
    if isinstance(columns, Mapping):
        height = max((len(values) for values in columns.values()), default=0)
        data = {name: columns.get(name, [None] * height) for name in schema}
        return pl.DataFrame(data, schema=schema)
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in columns], schema=schema)


def conformed(table: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """A table of an older or newer minor version with exactly the schema's columns: what it lacks is null."""
    held = set(table.columns)
    return table.select(
        (pl.col(name).cast(kind) if name in held else pl.lit(None, kind).alias(name))
        for name, kind in schema.items()
    )


def parquet_bytes(table: pl.DataFrame, **options: Any) -> bytes:
    """A table as the bytes of a Parquet file. options: of `write_parquet`, over zstd compression and statistics."""
    content = io.BytesIO()
    table.write_parquet(content, **{"compression": "zstd", "statistics": True, **options})
    return content.getvalue()


def type_name(kind: pl.DataType) -> str:
    """A column's type as `run.json` holds it: "Float32", or "Float32[478, 3]" for arrays.

    Raises UserError for types that a measure may not make: lists, structs and the like.
    """
    shape = ""
    if isinstance(kind, pl.Array):
        shape = str(list(kind.shape))
        while isinstance(kind, pl.Array):
            kind = kind.inner  # type: ignore[assignment]
    name = str(kind)
    if name not in _SCALARS:
        raise UserError(
            f"a measure's columns hold numbers, texts or arrays of them ({', '.join(_SCALARS)}), not {name}"
        )
    return name + shape


def named_type(name: str) -> pl.DataType:
    """The type of a `type_name`."""
    scalar, bracket, shape = name.partition("[")
    kind: pl.DataType = _SCALARS[scalar]
    return pl.Array(kind, tuple(json.loads(f"[{shape}"))) if bracket else kind


_SCALARS: dict[str, pl.DataType] = {
    str(kind): kind
    for kind in (
        *(pl.Float32(), pl.Float64(), pl.Boolean(), pl.String()),
        *(pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64()),
    )
}
