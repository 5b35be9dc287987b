"""The review table that a person or program writes by hand: `tables/review.parquet`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.review.actions import DECISIONS, POSE_BINS
from lpff_ray.tables.run_folder import TABLES

REVIEW_TABLE = f"{TABLES}/review.parquet"
REMEDY = "restore it from a copy, or remove it and review again"
FINE_BINS = tuple(
    f"{direction}_{low}_{low + 10}"
    for direction in ("left", "right", "up", "down")
    for low in range(30, 90, 10)
)
"""Of `pose_bin_fine`, besides those that are pose bins too."""


def handwritten_marks(folder: Folder) -> pl.DataFrame:
    """The marks of `tables/review.parquet`, one per face, the last where it has several; none if there is no such file.

    Columns as in `schema.HANDWRITTEN_REVIEW`; all but `face_id` may be missing. Raises UserError, with file, column and
    the allowed values, for anything that would otherwise be ignored.
    """
    found = folder.table(REVIEW_TABLE, REMEDY)
    if found is None:
        return schema.frame({}, schema.HANDWRITTEN_REVIEW)
    where = f"{folder.root}/{REVIEW_TABLE}"
    if "face_id" not in found.columns:
        raise UserError(f"{where}: has no column face_id; it needs face_id, and decision or bin")
    if not {"decision", "bin"} & set(found.columns):
        raise UserError(f"{where}: has neither a column decision nor bin, so it says nothing about its faces")
    for name in schema.HANDWRITTEN_REVIEW:
        if name in found.columns and found.schema[name] not in (pl.String, pl.Null, pl.Categorical, pl.Enum):
            raise UserError(f"{where}: column {name} holds {found.schema[name]}, not text")
    table = schema.conformed(found, schema.HANDWRITTEN_REVIEW)
    if table["face_id"].null_count():
        row = table["face_id"].is_null().arg_max()
        raise UserError(f"{where}: column face_id is empty in row {row}")
    _check(table["decision"], DECISIONS, where, DECISIONS)
    _check(table["bin"], (*POSE_BINS, *FINE_BINS), where, (*POSE_BINS, "those of pose_bin_fine"))
    return table.unique("face_id", keep="last", maintain_order=True)


def _check(column: pl.Series, allowed: Sequence[str], where: str, shown: Sequence[str]) -> None:
    wrong = column.is_not_null() & ~column.is_in(allowed)
    row = wrong.arg_max()
    if not wrong.any() or row is None:
        return
    value = str(column[row])
    near = difflib.get_close_matches(value.strip().lower(), allowed, 1)
    meant = f", did you mean {near[0]!r}?" if near else ""
    raise UserError(
        f"{where}: column {column.name} is {value!r} in row {row}{meant}; allowed: {', '.join(shown)}, or null"
    )
