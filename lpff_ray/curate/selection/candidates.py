"""The faces that a selection chooses from, and the gates of quality before them."""

from __future__ import annotations

import polars as pl

from lpff_ray.curate.selection.rules import Rules
from lpff_ray.errors import UserError
from lpff_ray.monitoring.wording import counted
from lpff_ray.tables import curated
from lpff_ray.tables.read import scan

GATED = {
    "min_det_score": "det_score",
    "min_area": "area",
    "min_sharpness": "sharpness",
    "max_pose_spread": "pose_spread",
    "min_iqa": "iqa",
}
"""The column that each gate of quality looks at."""

_MEASURED = ("det_score", "yaw", "pitch", "roll", "pose_spread", "sharpness", "iqa")


def candidates(out: str, bins: str, marks: pl.DataFrame) -> pl.DataFrame:
    """All faces with what selecting needs: measurements, `area`, identity, `keep`, and what reviewers said.

    Sorted by face_id: vectorised arithmetic may differ in its last bit with a number's place in the array.
    `bin` is the reviewer's where there is one; `moved` says so: then the measured angles are not to be trusted.
    """
    box = [pl.col("bbox").arr.get(index) for index in range(4)]
    faces = scan(out).select(
        "face_id",
        *_MEASURED,
        ((box[2] - box[0]) * (box[3] - box[1])).alias("area"),
        pl.col(bins).alias("measured_bin"),
    )
    deduped = curated.dedupe_marks(out).lazy().select("face_id", "identity_id", "keep")
    reviewed = marks.lazy().select("face_id", "decision", pl.col("bin").alias("reviewed_bin"))
    joined = faces.join(deduped, on="face_id", how="left").join(reviewed, on="face_id", how="left").collect()
    unknown = int(joined["identity_id"].null_count())
    if unknown:
        raise UserError(
            f"{out}: {counted(unknown, 'face')} without an identity, mined since the last dedupe; "
            f"run lpff-ray dedupe {out}"
        )
    moved = pl.col("reviewed_bin").is_not_null() & (pl.col("reviewed_bin") != pl.col("measured_bin"))
    return joined.sort("face_id").with_columns(
        (pl.col("decision") == "reject").fill_null(False).alias("rejected"),
        pl.coalesce("reviewed_bin", "measured_bin").alias("bin"),
        moved.fill_null(False).alias("moved"),
    )


def gate_levels(rules: Rules) -> dict[str, float]:
    """The level of each gate of quality that is set, but for iqa: its level may depend on the others."""
    levels = {gate: getattr(rules, gate) for gate in GATED if gate != "min_iqa"}
    return {gate: level for gate, level in levels.items() if level is not None}


def passes(gate: str, level: float) -> pl.Expr:
    """Whether a face passes a gate of quality; one that was not measured does not."""
    column = pl.col(GATED[gate]).fill_nan(None)  # to Polars, NaN is above every level
    return (column <= level if gate.startswith("max_") else column >= level).fill_null(False)


def least_iqa(pool: pl.DataFrame, rules: Rules, iqa: str) -> float | None:
    """The level of iqa that the rules mean for these faces; iqa: the run's setting of that name."""
    if rules.min_hyperiqa is not None and iqa == "hyperiqa":
        return rules.min_hyperiqa
    if rules.min_iqa is not None or rules.min_iqa_quantile is None:
        return rules.min_iqa
    passing = pool.filter([passes(*gate) for gate in gate_levels(rules).items()])
    level = passing["iqa"].drop_nans().quantile(rules.min_iqa_quantile, interpolation="nearest")
    return None if level is None else float(level)
