"""What a report reads of the faces: the columns that it shows, joined with what `dedupe` found, in one temporary file.

A report asks a dozen questions of all faces. The parts of a run are thousands of small files, perhaps on an object
store: they are read once, streaming, and what is asked for later is read of the one local file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lpff_ray.curate.selection.candidates import DIRECTION
from lpff_ray.tables import curated, schema
from lpff_ray.tables.read import Snapshot, scanned
from lpff_ray.tables.review.state import with_reviewed_identities
from lpff_ray.tables.run_folder import config_hash

ANGLES = ("azimuth", "elevation", "tilt")
MEASURED = ("face_px", "det_score", "sharpness", "iqa", "brightness", "pose_spread")
_COLUMNS = (
    *("face_id", "uri", "clip_id", "segment_id", "frame_index", "pts_ns", "bbox"),
    *("yaw", "pitch", "roll", *MEASURED, "pose_bin", "pose_votes"),
)
_MARKS = ("face_id", "identity_id", "keep", "duplicate_of", "similarity", "rule")


@dataclass(frozen=True)
class Selected:
    """One selection: its name, rows (`schema.SELECTION`) and rules, as `lpff_ray.selection_rules` gives them."""

    name: str
    table: pl.DataFrame
    rules: dict[str, Any]


@dataclass(frozen=True)
class Gathered:
    """A run as a report reads it.

    faces: one row per face, with _COLUMNS, ANGLES, and the columns of _MARKS, which are null (`keep`: true) for faces
    that `dedupe` has not seen; `draw` is a number that shuffles them, the same every time. deduped: whether `dedupe`
    has run; unseen: faces that were mined after it.
    """

    out: str
    files: Snapshot
    faces: pl.LazyFrame
    count: int
    deduped: bool
    unseen: int
    selections: tuple[Selected, ...]

    @property
    def config_hash(self) -> str:
        """Of the run's configuration."""
        return config_hash(self.files.record)


@contextmanager
def gathered(out: str, files: Snapshot, selections: tuple[Selected, ...]) -> Iterator[Gathered]:
    """The faces of a snapshot of the run `out`, for as long as the context lasts."""
    folder = files.folder
    marks = folder.table(
        curated.table_file("dedupe"), f"remove it and run lpff-ray dedupe {out}", list(_MARKS)
    )
    deduped = marks is not None
    known = (
        schema.frame({}, schema.DEDUPE).select(_MARKS)
        if marks is None
        else with_reviewed_identities(out, marks)
    )
    angles = [pl.coalesce(name, DIRECTION[name].degrees().cast(pl.Float32)).alias(name) for name in ANGLES]
    with tempfile.TemporaryDirectory(prefix="lpff_ray-report-") as temporary:
        path = Path(temporary, "faces.parquet")
        joined = scanned(files).select(*_COLUMNS, *angles).join(known.lazy(), on="face_id", how="left")
        joined.with_columns(
            pl.col("keep").is_null().alias("unseen"),
            pl.col("keep").fill_null(True),
            pl.col("face_id").hash(seed=0).alias("draw"),
        ).sink_parquet(path, compression="lz4", maintain_order=False)
        faces = pl.scan_parquet(path)
        count, unseen = faces.select(pl.len(), pl.col("unseen").sum()).collect().row(0)
        yield Gathered(out, files, faces, count, deduped, unseen if deduped else 0, selections)
