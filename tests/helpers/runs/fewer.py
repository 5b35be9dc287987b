"""A selection of a few of a run's faces, each to be repeated a different number of times."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from lpff_ray.storage.folder import Folder
from lpff_ray.tables.curated import selection, write_selection

SELECTION = "few"


def every_third(run: Path, whole: str) -> Path:
    """Add the selection "few" to a run: every third face of `whole`, once, twice, three times, once, ..."""
    place = pl.int_range(pl.len())
    few = selection(str(run), whole).gather_every(3, 1)
    few = few.with_columns(rank=place, copies=(place % 3 + 1).cast(pl.Int32))
    write_selection(Folder(str(run)), SELECTION, few, {})
    return run
