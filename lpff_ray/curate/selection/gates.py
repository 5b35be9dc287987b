"""Gates: limits of pose, and levels of quality that a face's measurements must reach before a method chooses."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from lpff_ray.curate.selection.method import Rules

GATED = {
    "min_det_score": "det_score",
    "min_area": "area",
    "min_sharpness": "sharpness",
    "max_pose_spread": "pose_spread",
    "min_iqa": "iqa",
}
"""The column that each gate of quality compares."""

POSE_LIMITS = {
    **{f"{side}_{name}": pl.col(name).abs() for name in ("yaw", "azimuth") for side in ("min", "max")},
    "min_elevation": pl.col("elevation"),
    "max_elevation": pl.col("elevation"),
    "max_tilt": pl.col("tilt").abs(),
}
"""What each limit of pose compares, degrees."""

Level = float | Mapping[str, float]
"""What a measurement is compared with: one number, or one for each bin; other bins have no level."""


def in_pose_limits(faces: pl.DataFrame, rules: Rules) -> pl.DataFrame | None:
    """The faces within the limits of pose that are set; None if none is.

    A limit that a method declares as a setting of its own, as uniform does `max_yaw`, is the method's.
    """
    own = vars(type(rules)).get("__annotations__", {})
    limits = {name: getattr(rules, name) for name in POSE_LIMITS if name not in own}
    kept = [_reaches(name, POSE_LIMITS[name], level) for name, level in limits.items() if level is not None]
    return faces.filter(*kept) if kept else None


def gate_levels(rules: Rules) -> dict[str, Level]:
    """The level of each gate of quality that is set, but for iqa: its level may depend on the others."""
    levels = {gate: getattr(rules, gate) for gate in GATED if gate != "min_iqa"}
    return {gate: level for gate, level in levels.items() if level is not None}


def passes_gate(gate: str, level: Level) -> pl.Expr:
    """Whether a face passes a gate of quality; one that was not measured does not."""
    wanted = (
        pl.col("bin").replace_strict(dict(level), default=float("-inf"), return_dtype=pl.Float64)
        if isinstance(level, Mapping)
        else pl.lit(level)
    )
    return _reaches(gate, pl.col(GATED[gate]), wanted)


def passing_faces(faces: pl.DataFrame, levels: Mapping[str, Level]) -> pl.DataFrame:
    """The faces that pass every gate; levels: of the gates, by name. Without any gate, all faces do."""
    gates = [passes_gate(*gate) for gate in levels.items()]
    return faces.filter(*gates) if gates else faces  # Polars takes no condition for a mask without rows


def iqa_level(faces: pl.DataFrame, rules: Rules, iqa: str) -> Level | None:
    """The level of iqa that the rules mean for these faces; iqa: the run's setting of that name.

    A share is left out of every bin: a profile is compared with profiles, which score lower than frontal faces.
    """
    if rules.min_hyperiqa is not None and iqa == "hyperiqa":
        return rules.min_hyperiqa
    if rules.min_iqa is not None or rules.min_iqa_quantile is None:
        return rules.min_iqa
    level = pl.col("iqa").drop_nans().quantile(rules.min_iqa_quantile, interpolation="nearest")
    bins = passing_faces(faces, gate_levels(rules)).group_by("bin").agg(level.cast(pl.Float64)).sort("bin")
    return dict(bins.drop_nulls().iter_rows()) or None


def _reaches(gate: str, measured: pl.Expr, level: float | pl.Expr) -> pl.Expr:
    column = measured.fill_nan(None)  # to Polars, NaN is above every level
    return (column <= level if gate.startswith("max_") else column >= level).fill_null(False)
