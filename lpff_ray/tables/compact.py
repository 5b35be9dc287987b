"""`lpff-ray compact`: gathers many small parts into few big Parquet files, which are faster to read."""

from __future__ import annotations

import json
from dataclasses import dataclass

import polars as pl

from lpff_ray.tables import parts, read, schema
from lpff_ray.tables.run_folder import COMPACTED_FILE, TABLES, compacted, open_run_folder
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
    """Gather all parts into `tables/`, then remove them. Safe to interrupt, and to run while nothing else writes.

    A new generation of files is written beside the old one; replacing `compacted.json` makes it the valid one in a
    single step; only then are the parts and old files removed. Raises UserError if `out` holds no run.
    """
    folder = open_run_folder(out)
    before = compacted(folder)
    gathered = set(before["segment_ids"])
    leftovers = [
        name for name in folder.names(parts.PARTS, ".parquet") if name.removesuffix(".parquet") in gathered
    ]
    new = read.new_part_names(folder, gathered)
    if new:
        generation = int(before.get("generation", 0)) + 1
        faces = read.scan(out)
        count = int(faces.select(pl.len()).collect().item())
        names = []
        for index, start in enumerate(range(0, max(count, 1), FACES_PER_FILE)):
            names.append(f"faces-{generation:04d}-{index:05d}.parquet")
            table = faces.slice(start, FACES_PER_FILE).collect()
            folder.commit(f"{TABLES}/{names[-1]}", schema.parquet_bytes(table, row_group_size=ROWS_PER_GROUP))
        tables: dict[str, list[str]] = {"faces": names}
        for kind, table in (
            (SegmentStatus.MINED, read.segments(out)),
            (SegmentStatus.QUARANTINED, read.quarantine(out)),
        ):
            tables[kind] = [f"{kind}-{generation:04d}.parquet"]
            folder.commit(
                f"{TABLES}/{tables[kind][0]}", schema.parquet_bytes(table, row_group_size=ROWS_PER_GROUP)
            )
        folder.commit(
            f"{TABLES}/videos.parquet", schema.parquet_bytes(read.videos(out), row_group_size=ROWS_PER_GROUP)
        )
        state = {
            "schema_version": schema.SCHEMA_VERSION,
            "schema_minor": schema.SCHEMA_MINOR,
            "generation": generation,
            "tables": tables,
            "segment_ids": sorted(gathered | {name.removesuffix(".parquet") for name in new}),
        }
        folder.commit(COMPACTED_FILE, json.dumps(state).encode())
    for name in [*leftovers, *new]:
        folder.remove(f"{parts.PARTS}/{name}")
    valid = compacted(folder)["tables"]
    for name in folder.names(TABLES, ".parquet"):  # earlier generations, an interrupted run's too
        table_of, *rest = name.split("-")
        if rest and table_of in ("faces", *SegmentStatus) and name not in valid.get(table_of, ()):
            folder.remove(f"{TABLES}/{name}")
    total = int(read.scan(out).select(pl.len()).collect().item())
    return Compaction(parts_gathered=len(new), faces=total, files=len(valid.get("faces", ())))
