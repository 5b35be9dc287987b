"""Facial expression as a few numbers: two pictures of one person with different expressions are no duplicates."""

from __future__ import annotations

import polars as pl

MEASURES = {
    "gap": (0.06, ((62, 66),)),
    "width": (0.06, ((48, 54),)),
    "right_lids": (0.02, ((37, 41), (38, 40))),
    "left_lids": (0.02, ((43, 47), (44, 46))),
    "brows": (0.03, ((19, 36), (19, 39), (24, 42), (24, 45))),
}
"""Of each measure of expression the difference that begins to be visible, and the pairs of `landmarks` (iBUG's 68)
whose mean distance it is: gap of the inner lips, width of the mouth, gaps of the lids, height of the brows. The unit of
length is the distance between the outer corners of the eyes, which no expression moves.

Evidence: docs/evidence/duplicates.md#expression
"""
KNOWN_YAW = 40.0  # degrees: from 30 to 55 the landmarks become those of a mean head, which has no expression
_EYE_CORNERS = (36, 45)


def expression_column() -> pl.Expr:
    """Expression of faces by `landmarks` and `yaw`, as a column of that name, float32 [MEASURES].

    Units: the differences that begin to be visible. NaN where the landmarks know nothing of it: of faces turned further
    than KNOWN_YAW, or without landmarks. Distances are taken in three dimensions, which turning does not shorten.
    """
    known = pl.col("yaw").abs() <= KNOWN_YAW
    unit = _apart(*_EYE_CORNERS)
    measures = [
        pl.mean_horizontal(_apart(*pair) for pair in pairs) / unit / seen for seen, pairs in MEASURES.values()
    ]
    return pl.concat_arr(
        pl.when(known & measure.is_finite()).then(measure).otherwise(float("nan")).cast(pl.Float32)
        for measure in measures
    ).alias("expression")


def _apart(one: int, other: int) -> pl.Expr:
    """Distance of two landmarks, pixels."""
    step = pl.col("landmarks").arr.get(one) - pl.col("landmarks").arr.get(other)
    return (step * step).arr.sum().sqrt()
