"""As flat over yaw and pitch as the faces allow, under a budget.

The objective, in order:

1. *Flatness.* A cell c of n_c faces gives s_c of them, with the sum of s_c the budget B (or all faces, if fewer). The
   s_c are the max-min fair ones: no cell can get a face more without taking it from one that has as few or fewer. They
   are s_c = min(n_c, L) for one level L; what is left after whole levels goes, one face each, to the cells with the
   most faces to choose from.
2. *Quality and variety* in each cell. A choice S is worth

       F(S) = sum over identities i of  sum over j = 0, 1, ... of  q_ij v^j,

   where q_i0 >= q_i1 >= ... are the iqa of the faces of i in S and v in 0..1 is `variety`: a second face of one person
   adds v of its quality, a third v^2. S maximises F among all choices of s_c faces.

Greedy is exact here: the terms q_ij v^j of one identity's own faces in order of quality only fall, so the s_c largest
of all terms are always the first few of every identity, and no other choice can sum to more. Two sorts, no iterations.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.curate.selection.sampling import BEST, best_of_each


def cell(cell_degrees: float) -> pl.Expr:
    """The name of a face's cell: "yaw_-30_-15:pitch_0_15". A cell holds its lower edge, not its upper one."""

    def span(angle: str) -> pl.Expr:
        low = (pl.col(angle).cast(pl.Float64) / cell_degrees).floor() * cell_degrees
        edges = ((low + step).round(6) for step in (0.0, cell_degrees))  # 3.6, not 3.5999999999999996
        if cell_degrees == int(cell_degrees):
            edges = (edge.cast(pl.Int64) for edge in edges)
        return pl.format(f"{angle}_{{}}_{{}}", *edges)

    return pl.format("{}:{}", span("yaw"), span("pitch"))


def fair_shares(available: NDArray[np.int64], budget: int) -> NDArray[np.int64]:
    """Max-min fair shares [n] of the budget among cells [n] that have so many faces."""
    if available.sum() <= budget:
        return available.copy()
    rising = np.sort(available)
    # With the level at the i-th smallest cell, that many faces are given in all.
    given = np.concatenate([[0], np.cumsum(rising)])[:-1] + rising * np.arange(len(rising), 0, -1)
    full = int(np.searchsorted(given, budget, side="right"))
    level = int((budget - rising[:full].sum()) // (len(rising) - full))
    shares = np.minimum(available, level)
    wanting = np.flatnonzero(available > level)
    first = wanting[np.argsort(-available[wanting], kind="stable")][: budget - shares.sum()]
    shares[first] += 1
    return shares


def choose(faces: pl.DataFrame, budget: int, variety: float) -> pl.DataFrame:
    """The faces that maximise the objective. Adds `pick`, from 0 in every cell, and sorts by (pick, cell).

    faces: face_id, identity_id, cell, iqa. Any first part of the result is itself nearly flat.
    """
    cells = faces.group_by("cell").len("available").sort("cell")
    shares = fair_shares(cells["available"].cast(pl.Int64).to_numpy(), budget)
    worth = (pl.col("iqa").cast(pl.Float64) * pl.lit(variety).pow(pl.col("place"))).alias("worth")
    valued = best_of_each(faces, ("cell", "identity_id"), BEST, None).with_columns(worth)
    picked = best_of_each(
        valued.rename({"place": "face_of_identity"}), ("cell",), (-pl.col("worth"), *BEST), None
    ).rename({"place": "pick"})
    shared = picked.join(cells.with_columns(pl.Series("share", shares)), on="cell")
    return shared.filter(pl.col("pick") < pl.col("share")).sort("pick", "cell")
