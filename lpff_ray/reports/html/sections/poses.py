"""Azimuth by elevation: how many faces look where, with faces of every cell."""

from __future__ import annotations

from typing import Any

import polars as pl

from lpff_ray.reports.html.gathered import Gathered
from lpff_ray.reports.html.samples import Samples
from lpff_ray.reports.html.sections.layers import layers

STEP = 15
"""Degrees per cell; the middle cell is centred on a face that looks straight ahead."""
LAST_COLUMN, LAST_ROW = 7, 5  # what lies further out counts in the outermost cells
EACH = 12
"""Faces of a cell that can be looked at."""


def pose_map(run: Gathered, samples: Samples) -> dict[str, Any]:
    """The cells of every layer, as [column, row, faces, numbers of some of them]; columns fall, so that faces that look
    to image-left are on the left, and rows fall, so that those that look up are at the top.

    Of each cell the face of highest iqa comes first, the others are drawn at random.
    """
    found = [(layer.name, _cells(layer.faces)) for layer in layers(run)]
    places = found[0][1]
    return {
        "step": STEP,
        "columns": _span(places["column"]),
        "rows": _span(places["row"]),
        "layers": [
            {
                "name": name,
                "faces": int(cells["faces"].sum()),
                "cells": [
                    [column, row, faces, samples.add(_first(best, drawn))]
                    for column, row, faces, best, drawn in cells.iter_rows()
                ],
            }
            for name, cells in found
        ],
        "unplaced": run.count - int(places["faces"].sum()),
    }


def _cells(faces: pl.LazyFrame) -> pl.DataFrame:
    placed = faces.filter(pl.col("azimuth").is_finite() & pl.col("elevation").is_finite())
    quality = pl.col("iqa").fill_nan(None).fill_null(-1.0)
    table = placed.group_by(
        _cell("azimuth", LAST_COLUMN).alias("column"), _cell("elevation", LAST_ROW).alias("row")
    ).agg(
        pl.len().alias("faces"),
        pl.col("face_id").top_k_by([quality, pl.col("draw")], 1).first().alias("best"),
        pl.col("face_id").bottom_k_by("draw", EACH).alias("drawn"),
    )
    return table.sort("row", "column", descending=True).collect()


def _cell(angle: str, last: int) -> pl.Expr:
    return (pl.col(angle) / STEP).round().clip(-last, last).cast(pl.Int32)


def _first(best: str, drawn: list[str]) -> list[str]:
    return [best, *(name for name in drawn if name != best)][:EACH]


def _span(cells: pl.Series) -> list[int]:
    """All cells between the outermost that hold a face, and the middle one, falling."""
    held = [0, *cells.to_list()] if len(cells) else []
    return list(range(max(held), min(held) - 1, -1)) if held else []
