"""Writes runs that were never mined, from rows that a test gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lpff_ray.config import MineConfig
from lpff_ray.plan.video import Video
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.curated import write_selection
from lpff_ray.tables.parts import commit_part
from lpff_ray.tables.run import Run
from lpff_ray.tables.run_folder import TABLES

Rows = Sequence[Mapping[str, Any]]


def make_run(
    out: Path,
    segments: Mapping[str, Rows],
    *,
    videos: Sequence[Video] = (),
    marks: Rows | None = None,
    selections: Mapping[str, Rows] | None = None,
    config: MineConfig | None = None,
) -> Run:
    """A run with a part for each of `segments`, rows of faces by segment_id; what rows do not name is null.

    videos: its plan, none if empty. marks: rows of the dedupe table, none if None. selections: rows by name.
    """
    run = Run(str(out), config or MineConfig()).begin()
    if videos:
        run.commit_plan(list(videos))
    for name, rows in segments.items():
        record = dict.fromkeys(schema.SEGMENTS, None)
        record |= {"segment_id": name, "video_id": name.rpartition("-")[0]}
        commit_part(run.folder, name, table_of(rows, schema.FACES), "segment", record, run.config.hash())
    if marks is not None:
        write_marks(run.folder, marks)
    for name, rows in (selections or {}).items():
        write_selection(run.folder, name, table_of(rows, schema.SELECTION), {})
    return run


def write_marks(folder: Folder, marks: Rows) -> None:
    """Write the dedupe table, as `lpff-ray dedupe` would."""
    content = schema.parquet_bytes(table_of(marks, schema.DEDUPE))
    folder.commit(f"{TABLES}/dedupe.parquet", content)


def table_of(rows: Rows, columns: Any) -> pl.DataFrame:
    """Rows as a table of these columns; what they have besides is left out."""
    return schema.frame([{name: row.get(name) for name in columns} for row in rows], columns)
