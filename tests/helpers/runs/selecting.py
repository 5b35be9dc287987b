"""A run with a selection of all its faces, for exports."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

import lpff_ray
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.curated import write_selection

SELECTION = "all"


def export_command(run: Path, format: str, *more: object) -> tuple[object, ...]:
    """`lpff-ray export` of that selection in a format."""
    return ("export", run, "--selection", SELECTION, "--format", format, *more)


def with_selection(run: Path, to: Path, **columns: pl.Expr | str) -> Path:
    """A copy of a run with a selection "all", ranked as its faces are; columns: expressions over the faces table."""
    shutil.copytree(run, to)
    given = {"identity_id": "track_id", "bin": "pose_bin", **columns}
    faces = (
        lpff_ray.scan(str(to)).with_row_index("rank").with_columns(weight=1.0, copies=1, **given).collect()
    )
    chosen = faces.select(
        (pl.col(name) if name in faces.columns else pl.lit(None).alias(name)).cast(kind)
        for name, kind in schema.SELECTION.items()
    )
    write_selection(Folder(str(to)), SELECTION, chosen, {"preset": "all"})
    return to
