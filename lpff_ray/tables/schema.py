"""Every table's columns, in one place, with a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

SCHEMA_VERSION = 1
EMBEDDING_WIDTH = 128  # of the embedded model; a plug-in's is on its card and in `run.json`

_STAGE_SECONDS = {
    f"seconds_{stage}": pl.Float32()
    for stage in ("open", "decode", "detect", "landmarks", "pose", "quality", "embed", "total")
}

FACES = pl.Schema(
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
        "frame_width": pl.Int32(),
        "frame_height": pl.Int32(),
        "bbox": pl.Array(pl.Float32(), 4),
        "det_score": pl.Float32(),
        "keypoints": pl.Array(pl.Float32(), (5, 2)),
        "landmarks": pl.Array(pl.Float32(), (68, 3)),
        "rotvec": pl.Array(pl.Float32(), 3),
        "translation": pl.Array(pl.Float32(), 3),
        "yaw": pl.Float32(),
        "pitch": pl.Float32(),
        "roll": pl.Float32(),
        "pose_votes": pl.List(
            pl.Struct(
                {"estimator": pl.String(), "yaw": pl.Float32(), "pitch": pl.Float32(), "roll": pl.Float32()}
            )
        ),
        "pose_bin": pl.String(),
        "pose_bin_strict": pl.String(),
        "pose_bin_fine": pl.String(),
        "pose_spread": pl.Float32(),
        "face_px": pl.Float32(),
        "sharpness": pl.Float32(),
        "iqa": pl.Float32(),
        "brightness": pl.Float32(),
        "embedding": pl.Array(pl.Float32(), EMBEDDING_WIDTH),
        "phash": pl.UInt64(),
    }
)
"""One row per face per looked-at frame, sorted by SORT_KEY. Units and frames of reference: DESIGN, "The tables"."""


def faces(embedding_width: int) -> pl.Schema:
    """FACES for a run whose embeddings have this many numbers."""
    return pl.Schema({**FACES, "embedding": pl.Array(pl.Float32(), embedding_width)})


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
        **_STAGE_SECONDS,
    }
)
"""One row per mined segment. `faces_rejected`: found, but below min_face_px or min_det_score, or a second
look at a better face."""

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
    }
)
"""One row per segment that could not be mined."""

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
    }
)
"""What the plan knows of every source, mined or not; the left part of the `videos` table.

crop: x0, y0, x1, y1 of the part of the frame that was asked for; crop_unit: "fraction" of the frame's width and height,
or "pixel" of the frame as shown."""

VIDEOS = pl.Schema(
    {
        **PLAN,
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
unreadable | not_media."""

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
"""One row per person that `dedupe` tells apart. spread: largest distance between two of its tracks' embeddings."""

DEDUPE = pl.Schema(
    {
        "face_id": pl.String(),
        "identity_id": pl.String(),
        "stitched_track_id": pl.String(),
        "keep": pl.Boolean(),
        "duplicate_of": pl.String(),
        "similarity": pl.Float32(),
        "rule": pl.String(),
    }
)
"""One row per face, in the order of the faces table. stitched_track_id: its track, joined across segment borders.
duplicate_of: the kept face that it repeats, null for a kept one; a kept face is never a duplicate (no chains)."""

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

REVIEW = pl.Schema({"face_id": pl.String(), "decision": pl.String(), "bin": pl.String(), "note": pl.String()})
"""What a person said about faces. decision: accept | reject; bin: the bin to move the face to, null to leave it."""


def frame(
    columns: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]], schema: pl.Schema
) -> pl.DataFrame:
    """A table with exactly the schema's columns, in its order; columns that are not given are null."""
    if isinstance(columns, Mapping):
        height = max((len(values) for values in columns.values()), default=0)
        data = {name: columns.get(name, [None] * height) for name in schema}
        return pl.DataFrame(data, schema=schema)
    return pl.DataFrame(list(columns), schema=schema)
