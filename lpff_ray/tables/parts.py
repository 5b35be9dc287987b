"""Parts: one Parquet file per finished segment, which holds its faces and, in the footer, its record.

What a part says of itself is checked whenever parts are listed: its segment, and the configuration it was mined with.
A segment is done if it has a part; nothing else records that. A part's name is its segment's; a segment that was split
in two is done when both halves are. A quarantined segment has a part too, with no faces and the failure in its footer.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.storage.folder import PARQUET_ERRORS, Folder
from lpff_ray.tables import schema
from lpff_ray.types import SegmentStatus

PARTS = "parts"
SUFFIX = ".parquet"
ASIDE = "damaged"
"""Where parts that do not count are moved to."""
START = b"PAR1"
END_BYTES = 64 * 1024
"""Bytes of the end of a part that are read for its footer, if they hold it: far less than the whole of it."""
log = logging.getLogger(__name__)
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
        "record": {**record, "segment_id": segment_id},
    }
    content = schema.parquet_bytes(faces, metadata={_FOOTER_KEY: json.dumps(footer)})
    folder.commit(part_name(segment_id), content)


@dataclass(frozen=True)
class Part:
    """A file of the parts folder. wrong: why it does not count, "" if it does. footer: what it says of itself."""

    name: str
    footer: dict[str, Any] = field(default_factory=dict)
    wrong: str = ""

    @property
    def segment_id(self) -> str:
        """The segment that it is of."""
        return self.name.removesuffix(SUFFIX)


def read_parts(folder: Folder, names: Iterable[str], config_hash: str) -> list[Part]:
    """What the parts of these names (within the parts folder) say of themselves, in their order.

    One that is damaged, another segment's, or of another configuration than `config_hash` has `wrong`; one that is gone
    by now is left out. Raises UserError for one of a newer version, and for a folder that can not be read.
    """
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda name: _part(folder, name, config_hash), names)
        return [part for part in found if part is not None]


def set_aside(folder: Folder, part: Part) -> None:
    """Move a part that does not count out of the way, and say so: its segment is mined again."""
    folder.move(f"{PARTS}/{part.name}", f"{ASIDE}/{part.name}")
    log.warning(
        "%s/%s/%s: %s; moved to %s/, its segment is mined again",
        *(folder.root, PARTS, part.name, part.wrong, ASIDE),
    )


def _part(folder: Folder, name: str, config_hash: str) -> Part | None:
    where = f"{folder.root}/{PARTS}/{name}"
    try:
        content = folder.end_of(f"{PARTS}/{name}", START, END_BYTES)
        if content is None:
            return None
        start, end = content
        metadata = pl.read_parquet_metadata(io.BytesIO(end))
        footer = json.loads(metadata[_FOOTER_KEY])
        version, record, made_with = footer["schema_version"], footer["record"], footer["config_hash"]
        if start != START or not isinstance(version, int) or not isinstance(record["segment_id"], str):
            raise ValueError
    except (*PARQUET_ERRORS, KeyError, ValueError, TypeError, OSError):
        return Part(name, wrong="damaged, or not a part of lpff_ray")
    if version > schema.SCHEMA_VERSION:
        raise UserError(
            f"{where}: written by a newer lpff_ray (table version {version}, this release reads up to "
            f"{schema.SCHEMA_VERSION}); upgrade with pip install -U lpff-ray"
        )
    part = Part(name, dict(footer))
    if record["segment_id"] != part.segment_id:
        return replace(part, wrong=f"holds another segment, {record['segment_id']}")
    if made_with != config_hash:
        return replace(part, wrong=f"was mined with another configuration, {made_with}")
    return part
