"""Parts: one Parquet file per finished segment, which holds its faces and, in the footer, its record.

A segment is done if it has a part; nothing else records that. A part's name is its segment's; a segment that was split
in two is done when both halves are. A quarantined segment has a part too, with no faces and the failure in its footer.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.storage.folder import PARQUET_ERRORS, Folder
from lpff_ray.tables import schema
from lpff_ray.types import SegmentStatus

PARTS = "parts"
_FOOTER_KEY = "lpff_ray"


def part_name(segment_id: str) -> str:
    """The part's file name below the output folder."""
    return f"{PARTS}/{segment_id}.parquet"


def commit_part(
    folder: Folder,
    segment_id: str,
    faces: pl.DataFrame,
    kind: SegmentStatus,
    record: dict[str, Any],
    config_hash: str,
) -> None:
    """Write one part. kind: a SegmentStatus; record: a row of the table of that kind."""
    footer = {
        "schema_version": schema.SCHEMA_VERSION,
        "schema_minor": schema.SCHEMA_MINOR,
        "config_hash": config_hash,
        "kind": str(kind),
        "record": record,
    }
    content = schema.parquet_bytes(faces, metadata={_FOOTER_KEY: json.dumps(footer)})
    folder.commit(part_name(segment_id), content)


def read_footers(folder: Folder, names: Iterable[str]) -> list[dict[str, Any]]:
    """The footers of parts, in the order of their names (file names within the parts folder).

    Raises UserError for a file that is not a part of a version that this release reads.
    """
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda name: _footer(folder, name, folder.source(f"{PARTS}/{name}")), names))


def sources(folder: Folder, names: Iterable[str]) -> list[Any]:
    """The paths or buffers that Polars scans parts from, in the order of their names.

    Their footers are read first, so that a damaged part is named here: Polars would fail later, when a scan is
    collected, without its name. Raises UserError as `read_footers` does.
    """

    def checked(name: str) -> str | io.BytesIO:
        source = folder.source(f"{PARTS}/{name}")
        _footer(folder, name, source)
        return source

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(checked, names))


def _footer(folder: Folder, name: str, source: str | io.BytesIO) -> dict[str, Any]:
    where = f"{folder.root}/{PARTS}/{name}"
    try:
        footer = json.loads(pl.read_parquet_metadata(source)[_FOOTER_KEY])
    except (*PARQUET_ERRORS, KeyError, ValueError):
        raise UserError(
            f"{where}: not a part of lpff_ray, or damaged; remove it and run `mine` again to make it anew"
        ) from None
    if footer["schema_version"] > schema.SCHEMA_VERSION:
        raise UserError(
            f"{where}: written by a newer lpff_ray (table version {footer['schema_version']}, this release reads "
            f"up to {schema.SCHEMA_VERSION}); upgrade with pip install -U lpff-ray"
        )
    return dict(footer)
