"""Gates of quality: levels that a face's measurements must reach before a method chooses among the faces."""

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


def gate_levels(rules: Rules) -> dict[str, float]:
    """The level of each gate of quality that is set, but for iqa: its level may depend on the others."""
    levels = {gate: getattr(rules, gate) for gate in GATED if gate != "min_iqa"}
    return {gate: level for gate, level in levels.items() if level is not None}


def passes_gate(gate: str, level: float) -> pl.Expr:
    """Whether a face passes a gate of quality; one that was not measured does not."""
    column = pl.col(GATED[gate]).fill_nan(None)  # to Polars, NaN is above every level
    return (column <= level if gate.startswith("max_") else column >= level).fill_null(False)


def passing_faces(faces: pl.DataFrame, levels: Mapping[str, float]) -> pl.DataFrame:
    """The faces that pass every gate; levels: of the gates, by name. Without any gate, all faces do."""
    gates = [passes_gate(*gate) for gate in levels.items()]
    return faces.filter(*gates) if gates else faces  # Polars takes no condition for a mask without rows


def iqa_level(faces: pl.DataFrame, rules: Rules, iqa: str) -> float | None:
    """The level of iqa that the rules mean for these faces; iqa: the run's setting of that name."""
    if rules.min_hyperiqa is not None and iqa == "hyperiqa":
        return rules.min_hyperiqa
    if rules.min_iqa is not None or rules.min_iqa_quantile is None:
        return rules.min_iqa
    level = (
        passing_faces(faces, gate_levels(rules))["iqa"]
        .drop_nans()
        .quantile(rules.min_iqa_quantile, interpolation="nearest")
    )
    return None if level is None else float(level)
