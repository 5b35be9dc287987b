"""Method "uniform": as flat over yaw and pitch as the faces allow, under a budget.

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

import math
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator

from lpff_ray.curate.selection.funnel import Funnel
from lpff_ray.curate.selection.method import Rules, SelectionMethod
from lpff_ray.curate.selection.sampling import BEST_IQA, best_of_each


class UniformRules(Rules):
    """As many faces of every yaw and pitch as there are, under a budget."""

    budget: int = Field(default=20_000, ge=1, description="most faces selected")
    cell_degrees: float = Field(
        default=15.0, ge=1, le=90, description="side of a cell of yaw and pitch, degrees"
    )
    max_yaw: float = Field(default=90.0, gt=0, le=180, description="largest |yaw| selected, degrees")
    max_pitch: float = Field(default=60.0, gt=0, le=90, description="largest |pitch| selected, degrees")
    variety: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="what the next face of an identity in a cell is worth beside the one before: 1 as much",
    )
    per_identity_bin: int | None = Field(
        default=None, ge=1, description="most faces of one identity in a cell"
    )

    @model_validator(mode="after")
    def _whole_cells(self) -> UniformRules:
        for limit in (self.max_yaw, self.max_pitch):
            cells = limit / self.cell_degrees  # in floating point, 3.6 % 1.2 is no 0
            if not math.isclose(cells, round(cells)):
                raise ValueError("max_yaw and max_pitch must be multiples of cell_degrees")
        return self


def flat_over_poses(
    faces: pl.DataFrame, rules: UniformRules, funnel: Funnel, found: dict[str, Any]
) -> pl.DataFrame:
    """The best faces of every cell of yaw and pitch, as many of each as there are, up to the budget."""
    inside = (pl.col("yaw").abs() < rules.max_yaw) & (pl.col("pitch").abs() < rules.max_pitch)
    posed = funnel.after("pose", faces.filter(inside, ~pl.col("moved")))
    posed = posed.with_columns(cell_name(rules.cell_degrees).alias("cell"))
    capped = best_of_each(posed, ("cell", "identity_id"), BEST_IQA, rules.per_identity_bin).drop("position")
    found["usable"] = len(capped)
    chosen = flattest(funnel.after("caps", capped), rules.budget, rules.variety)
    reason = pl.format(
        "pick {} of {} in its cell, face {} of its identity there",
        pl.col("pick") + 1,
        "share",
        pl.col("face_of_identity") + 1,
    )
    return chosen.with_columns(reason.alias("reason"))


def cell_name(cell_degrees: float) -> pl.Expr:
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


def flattest(faces: pl.DataFrame, budget: int, variety: float) -> pl.DataFrame:
    """The faces that maximise the objective. Adds `pick`, from 0 in every cell, and sorts by (pick, cell).

    faces: face_id, identity_id, cell, iqa. Any first part of the result is itself nearly flat.
    """
    cells = faces.group_by("cell").len("available").sort("cell")
    shares = fair_shares(cells["available"].cast(pl.Int64).to_numpy(), budget)
    worth = (pl.col("iqa").cast(pl.Float64) * pl.lit(variety).pow(pl.col("position"))).alias("worth")
    valued = best_of_each(faces, ("cell", "identity_id"), BEST_IQA, None).with_columns(worth)
    picked = best_of_each(
        valued.rename({"position": "face_of_identity"}), ("cell",), (-pl.col("worth"), *BEST_IQA), None
    ).rename({"position": "pick"})
    shared = picked.join(cells.with_columns(pl.Series("share", shares)), on="cell")
    return shared.filter(pl.col("pick") < pl.col("share")).sort("pick", "cell")


METHOD = SelectionMethod(
    rules=UniformRules,
    choose=flat_over_poses,
    advice="it takes what lies within max_yaw and max_pitch",
    together="of the cells",
)
