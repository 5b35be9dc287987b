"""Thumbnails of the faces of a run: a side file per segment, `thumbnails/SEGMENT.parquet`, beside its part.

A side file is in place before its part, so that a segment that is done has its thumbnails, whenever a run is killed.
One without a part does no harm: mining the segment writes it anew. `compact` leaves side files as they are. Whoever
looks at some faces opens the few files that hold them; out of few big ones, far more would have to be read, and from
an object store, fetched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl

from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.run_folder import open_run_folder

FOLDER = "thumbnails"
SUFFIX = ".parquet"
REMEDY = "remove it; its faces are then shown without a picture"
ROWS_PER_GROUP = 256
"""Few, so that looking one face up in a long segment reads about 1 MB."""
READERS = 16
"""Files that are read at once: object stores answer late."""


def commit_thumbnails(folder: Folder, segment_id: str, thumbnails: pl.DataFrame) -> None:
    """Write the side file of a segment. thumbnails: columns as in `schema.THUMBNAILS`."""
    # JPEGs do not get smaller; and the least and the largest of them tell nothing.
    options: dict[str, Any] = {"compression": "uncompressed", "statistics": False}
    content = schema.parquet_bytes(thumbnails, row_group_size=ROWS_PER_GROUP, **options)
    folder.commit(f"{FOLDER}/{segment_id}{SUFFIX}", content)


def discard_thumbnails(folder: Folder) -> None:
    """Remove all side files: those of another configuration's rows, which are gone."""
    for name in folder.names(FOLDER, SUFFIX):
        folder.remove(f"{FOLDER}/{name}")


def thumbnails(out: str, faces: Sequence[str] | pl.Series | pl.DataFrame) -> pl.DataFrame:
    """The thumbnails of some faces, in their order; columns as in `schema.THUMBNAILS`.

    faces: face ids, or a table with the column `face_id`; with `segment_id`, too, fewer files are opened. Faces that
    have no thumbnail are left out, and a run that was mined without them gives no rows. Raises UserError if `out` holds
    no run, or if a side file is damaged.
    """
    folder = open_run_folder(out)
    table = (
        faces
        if isinstance(faces, pl.DataFrame)
        else pl.DataFrame({"face_id": pl.Series(faces, dtype=pl.String)})
    )
    wanted = table.select("face_id").unique(maintain_order=True)
    by_file = _by_file(table, folder.names(FOLDER, SUFFIX))

    def read(name: str) -> pl.DataFrame:
        with folder.parsing(f"{FOLDER}/{name}", REMEDY):
            side_file = pl.scan_parquet(folder.source(f"{FOLDER}/{name}"), glob=False)
            return (
                side_file.filter(pl.col("face_id").is_in(by_file[name]))
                .select(list(schema.THUMBNAILS))
                .collect()
            )

    with ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(read, by_file))
    if not found:
        return schema.frame({}, schema.THUMBNAILS)
    # Halves of a segment that was split may be there beside what was written of the whole.
    rows = pl.concat(found).unique("face_id", keep="first", maintain_order=True)
    return wanted.join(rows, on="face_id", how="inner", maintain_order="left")


def _by_file(table: pl.DataFrame, names: Sequence[str]) -> dict[str, list[str]]:
    """The faces that each side file may hold: their segment's, or all of their video's if it is not known."""
    if "segment_id" in table.columns:
        there = set(names)
        pairs = table.select(pl.col("segment_id") + SUFFIX, "face_id").unique(maintain_order=True).iter_rows()
        of_segments: dict[str, list[str]] = defaultdict(list)
        for name, face in pairs:
            if name in there:
                of_segments[name].append(face)
        return of_segments
    of_video: dict[str, list[str]] = defaultdict(list)
    for face in dict.fromkeys(table["face_id"]):
        of_video[face.rsplit(":", 2)[0]].append(face)
    videos = ((name, name.rsplit("-", 1)[0]) for name in names)
    return {name: of_video[video] for name, video in videos if video in of_video}
