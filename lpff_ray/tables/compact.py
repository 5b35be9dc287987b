"""`lpff-ray compact`: gathers many small parts into few big Parquet files, which are faster to read."""

from __future__ import annotations

import json
from dataclasses import dataclass

import polars as pl

from lpff_ray.storage.folder import Folder
from lpff_ray.storage.lock import locked
from lpff_ray.tables import parts, read, schema
from lpff_ray.tables.run_folder import (
    BUSY,
    COMPACTED_FILE,
    LOCKS,
    TABLES,
    compacted,
    config_hash,
    open_run_folder,
)
from lpff_ray.types import SegmentStatus

FACES_PER_FILE = 200_000
# Small groups: reading everything about one face reads one group of landmarks and embeddings, and cores share the
# reading of a column more evenly. Evidence: docs/evidence/speed.md#rows-per-group
ROWS_PER_GROUP = 5_000


@dataclass(frozen=True)
class Compaction:
    """The result of `compact`: parts that it gathered; faces in the tables now, and files that hold them."""

    parts_gathered: int
    faces: int
    files: int


def compact(out: str) -> Compaction:
    """Gather all parts into `tables/`, then remove them. Safe to interrupt, and to run while others mine or read.

    A new generation of files is written beside the old one; replacing `compacted.json` makes it the valid one in a
    single step; only then are the parts and old files removed. Raises UserError if `out` holds no run, or if
    another process writes its tables.
    """
    folder = open_run_folder(out)
    with locked(folder, f"{LOCKS}/tables", BUSY):
        return _compact(folder, out)


def _compact(folder: Folder, out: str) -> Compaction:
    # One snapshot for all tables: parts that a `mine` commits meanwhile are in none of them.
    files = read.snapshot(out)
    gathered = set(files.gathered["segment_ids"])
    leftovers = [
        name
        for name in folder.names(parts.PARTS, parts.SUFFIX)
        if name.removesuffix(parts.SUFFIX) in gathered
    ]
    new = [part.name for part in files.parts]
    if new:
        generation = int(files.gathered.get("generation", 0)) + 1
        faces = read.scanned(files)
        count = int(faces.select(pl.len()).collect().item())
        names = []
        for index, start in enumerate(range(0, max(count, 1), FACES_PER_FILE)):
            names.append(f"faces-{generation:04d}-{index:05d}.parquet")
            _write(folder, names[-1], faces.slice(start, FACES_PER_FILE).collect())
        tables: dict[str, list[str]] = {"faces": names}
        for kind in SegmentStatus:
            tables[kind] = [f"{kind}-{generation:04d}.parquet"]
            _write(folder, tables[kind][0], read.records(files, kind))
        _write(folder, "videos.parquet", read.listed(files))
        state = {
            "schema_version": schema.SCHEMA_VERSION,
            "schema_minor": schema.SCHEMA_MINOR,
            "config_hash": config_hash(files.record),
            "generation": generation,
            "tables": tables,
            "segment_ids": sorted(gathered | {part.segment_id for part in files.parts}),
        }
        folder.commit(COMPACTED_FILE, json.dumps(state).encode())
    for name in [*leftovers, *new]:
        folder.remove(f"{parts.PARTS}/{name}")
    valid = compacted(folder)["tables"]
    for name in folder.names(TABLES, ".parquet"):  # earlier generations, an interrupted run's too
        table_of, *rest = name.split("-")
        if rest and table_of in ("faces", *SegmentStatus) and name not in valid.get(table_of, ()):
            folder.remove(f"{TABLES}/{name}")
    total = int(read.scanned(read.snapshot(out)).select(pl.len()).collect().item())
    return Compaction(parts_gathered=len(new), faces=total, files=len(valid.get("faces", ())))


def _write(folder: Folder, name: str, table: pl.DataFrame) -> None:
    folder.commit(f"{TABLES}/{name}", schema.parquet_bytes(table, row_group_size=ROWS_PER_GROUP))
