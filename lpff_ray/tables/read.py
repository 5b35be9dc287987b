"""Reads the tables of a run, also while it is going on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import polars as pl

from lpff_ray.storage.folder import Folder
from lpff_ray.tables import parts, schema
from lpff_ray.tables.parts import Part
from lpff_ray.tables.plan_table import manifest_table
from lpff_ray.tables.run_folder import (
    COMPACTED_REMEDY,
    TABLES,
    compacted,
    compacted_tables,
    config_hash,
    open_run,
    read_plan,
    schema_of,
)
from lpff_ray.types import SegmentStatus, VideoStatus

log = logging.getLogger(__name__)


def scan(out: str) -> pl.LazyFrame:
    """All faces found so far, sorted by (video_id, frame_index, face_index); columns as in `schema.faces`.

    Parts that do not count (damaged, of another segment or configuration) are left out, and a warning names them.
    Raises UserError if `out` holds no run, or a table that is damaged.
    """
    return scanned(snapshot(out))


@dataclass(frozen=True)
class Snapshot:
    """The files of a run at one moment, so that several tables can be made of the same.

    record: `run.json`. gathered: the record of `compact`. parts: those that it has not gathered and that count, in the
    order of their rows.
    """

    folder: Folder
    record: dict[str, Any]
    gathered: dict[str, Any]
    parts: list[Part]


def snapshot(out: str) -> Snapshot:
    """The files of a run now, also while others mine or compact it. Warns of parts that do not count.

    Raises UserError if `out` holds no run.
    """
    folder, record = open_run(out)
    while True:
        names = folder.names(parts.PARTS, parts.SUFFIX)
        gathered = compacted(folder)
        new = new_part_names(names, set(gathered["segment_ids"]))
        found = parts.read_parts(folder, new, config_hash(record))
        if len(found) == len(new):
            break  # else some went into the compacted tables, or were forgotten, in between
    for part in found:
        if part.wrong:
            log.warning(
                "%s/%s/%s: %s; left out: run `mine` again to make it anew",
                *(folder.root, parts.PARTS, part.name, part.wrong),
            )
    return Snapshot(folder, record, gathered, [part for part in found if not part.wrong])


def scanned(files: Snapshot) -> pl.LazyFrame:
    """The faces of a snapshot, as `scan` gives them."""
    folder = files.folder
    tables = [_whole(folder, f"{TABLES}/{name}") for name in files.gathered["tables"].get("faces", [])]
    new = [folder.source(f"{parts.PARTS}/{part.name}") for part in files.parts]
    columns = schema_of(files.record)
    frames = [_scanned(paths, columns) for paths in (tables, new) if paths]
    if not frames:
        return schema.frame({}, columns).lazy()
    # Names sort as their rows do; only what was mined since the last `compact` has to be sorted in.
    return frames[0] if len(frames) == 1 else pl.concat(frames).sort(schema.SORT_KEY)


def _scanned(paths: list[Any], columns: pl.Schema) -> pl.LazyFrame:
    """Files of any minor version: columns that one lacks are null, additional ones are left out."""
    return pl.scan_parquet(
        paths, schema=columns, glob=False, missing_columns="insert", extra_columns="ignore"
    )


def segments(out: str) -> pl.DataFrame:
    """One row per mined segment; columns as in `schema.SEGMENTS`. Raises UserError if `out` holds no run."""
    return records(snapshot(out), SegmentStatus.MINED)


def quarantine(out: str) -> pl.DataFrame:
    """One row per segment that could not be mined; columns as in `schema.QUARANTINE`.

    Raises UserError if `out` holds no run.
    """
    return records(snapshot(out), SegmentStatus.QUARANTINED)


def videos(out: str) -> pl.DataFrame:
    """One row per source with its plan, its status and sums over its segments; columns as in `schema.VIDEOS`.

    After them come the manifest's own (licence, author, labels); one called as another column is `manifest_NAME`.
    Raises UserError if `out` holds no run.
    """
    return listed(snapshot(out))


def listed(files: Snapshot) -> pl.DataFrame:
    """The sources of a run with what a snapshot holds of them, as `videos` gives them."""
    planned = read_plan(files.folder)
    if planned is None:
        return schema.frame({}, schema.VIDEOS)
    counts = ["frames_looked_at", "frames_missing", "faces"]
    seconds = [name for name in schema.SEGMENTS if name.startswith("seconds_")]
    mined = records(files, SegmentStatus.MINED)
    # A half counts as half a segment: the plan counts whole ones.
    share = pl.when(pl.col("segment_id").str.contains("[ab]$")).then(0.5).otherwise(1.0)
    sums = mined.group_by("video_id").agg(
        share.sum().alias("mined_share"),
        pl.col(counts + seconds).sum(),
        pl.col("decoder").unique().sort().str.join("+"),
    )
    failed = (
        records(files, SegmentStatus.QUARANTINED)
        .group_by("video_id")
        .agg(
            share.sum().alias("lost_share"),
            pl.col("message").first().alias("failure"),
        )
    )
    planned_row = pl.col("status") == str(VideoStatus.PLANNED)
    # A duplicate shares its video_id with the row that was mined, and has no work of its own.
    key = pl.when(planned_row).then("video_id").alias("mined_id")
    joined = planned.with_columns(key).join(sums, left_on="mined_id", right_on="video_id", how="left")
    joined = joined.join(failed, left_on="mined_id", right_on="video_id", how="left")
    done, lost = pl.col("mined_share").fill_null(0), pl.col("lost_share").fill_null(0)
    status = (
        pl.when(~planned_row)
        .then("status")
        .when(done + lost < pl.col("segments"))
        .then(pl.lit(str(VideoStatus.PENDING)))
        .when(lost == 0)
        .then(pl.lit(str(VideoStatus.DONE)))
        .when(done == 0)
        .then(pl.lit(str(VideoStatus.FAILED)))
        .otherwise(pl.lit(str(VideoStatus.PARTIAL)))
    )
    table = joined.with_columns(
        status.alias("status"),
        pl.when(pl.col("reason") == "")
        .then(pl.col("failure").fill_null(""))
        .otherwise("reason")
        .alias("reason"),
        done.alias("segments_done"),
        lost.alias("segments_quarantined"),
    )
    own = manifest_table(table, schema.VIDEOS)
    return table.select(pl.col(name).cast(kind) for name, kind in schema.VIDEOS.items()).hstack(own)


def new_part_names(names: list[str], gathered: set[str]) -> list[str]:
    """Of file names of parts, those that `compact` has not gathered yet, in the order of their rows."""
    ids = (name.removesuffix(parts.SUFFIX) for name in names)
    return [f"{name}{parts.SUFFIX}" for name in sorted(ids, key=_row_order) if name not in gathered]


def _row_order(segment_id: str) -> tuple[str, ...]:
    # A clip's id has a dash too: sorted as one text, its segments would come between those of the whole video.
    return tuple(segment_id.rsplit("-", 1))


def _whole(folder: Folder, name: str) -> Any:
    """The path or buffer that Polars reads a compacted file from. Raises UserError if the file is damaged."""
    source = folder.source(name)
    with folder.parsing(name, COMPACTED_REMEDY):
        pl.read_parquet_metadata(source)
    return source


def records(files: Snapshot, kind: SegmentStatus) -> pl.DataFrame:
    """The segments of a kind in a snapshot, as `segments` and `quarantine` give them."""
    columns = schema.SEGMENTS if kind == SegmentStatus.MINED else schema.QUARANTINE
    tables = compacted_tables(files.folder, files.gathered, kind)
    found = [part.footer["record"] for part in files.parts if part.footer["kind"] == kind]
    new = schema.frame(found, columns)
    return pl.concat([*(schema.conformed(table, columns) for table in tables), new]).sort("segment_id")
