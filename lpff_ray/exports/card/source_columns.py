"""What manifests say of the sources beside where they are (licence, author, labels), on its way into data sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.exports.format import OutputFile, Record
from lpff_ray.tables.plan_table import sources_of_videos
from lpff_ray.tables.run_folder import open_run_folder, read_plan

CARD = "SOURCES.md"
MOST_VALUES, FEW_VALUES = 30, 3
"""Values of one column that the card lists, at most; a column of more, and of more than a few that are all different,
is only counted."""
Columns = Mapping[str, Mapping[str, Any]]
"""Values by column, by video_id."""


def source_columns(run: str) -> dict[str, dict[str, Any]]:
    """The further columns of the sources of a run, by video_id; videos without any are left out."""
    return sources_of_videos(read_plan(open_run_folder(run)))


def check_required(out: str, rows: pl.DataFrame, columns: Columns, require: Sequence[str]) -> None:
    """Raises UserError if a face's source has no value in one of the columns `require`."""
    for name in require:
        lacking = [
            video for video in rows["video_id"].unique(maintain_order=True) if not _has(columns, video, name)
        ]
        if lacking:
            faces = rows.filter(pl.col("video_id").is_in(lacking))
            raise UserError(
                f"{out}: {len(faces)} of {len(rows)} selected faces come from sources without {name}, such as "
                f"{faces['uri'][0]}; select with --require {name}, or give the column in the manifest and mine again "
                "into the same run, which measures nothing anew"
            )


def _has(columns: Columns, video: str, name: str) -> bool:
    return columns.get(video, {}).get(name) is not None


def with_sources(records: Sequence[Record], columns: Columns) -> list[Record]:
    """The records, each with `source`: the columns of its video, where there are any."""
    return [
        {**record, "source": dict(columns[record["video_id"]])}
        if record.get("video_id") in columns
        else record
        for record in records
    ]


def source_captions(run: str, faces: pl.DataFrame) -> list[str | None]:
    """The manifest's column `caption` for each face, None where there is none."""
    columns = source_columns(run)
    found = (columns.get(video, {}).get("caption") for video in faces["video_id"])
    return [None if caption is None else str(caption) for caption in found]


def source_card(records: Sequence[Record]) -> OutputFile | None:
    """A page on what the data set was made of: how many of its records have which values; None without any columns.

    records: as of `with_sources`.
    """
    names = sorted({name for record in records for name in record.get("source", {})})
    if not names:
        return None
    lines = ["# Sources", "", f"{len(records)} records, by what the manifest says of their sources.", ""]
    for name in names:
        counts = Counter(str(record.get("source", {}).get(name, "(not given)")) for record in records)
        lines += [f"## {name}", ""]
        if len(counts) > MOST_VALUES or FEW_VALUES < len(counts) == len(records):
            lines += [f"{len(counts)} different values: see `source` in PROVENANCE.jsonl.", ""]
            continue
        lines += ["| value | records |", "|---|---|"]
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        lines += [f"| {value.replace('|', '&#124;')} | {count} |" for value, count in ordered]
        lines.append("")
    return OutputFile(CARD, "\n".join(lines).encode())
