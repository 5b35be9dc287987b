"""Faces by what the manifest says of their source: licence, author, split, labels."""

from __future__ import annotations

import polars as pl
from polars.exceptions import PolarsError

from lpff_ray.curate.selection.method import Rules
from lpff_ray.errors import UserError
from lpff_ray.tables.plan_table import manifest_table
from lpff_ray.tables.run_folder import open_run_folder, read_plan
from lpff_ray.types import VideoStatus


def wanted_sources(out: str, faces: pl.DataFrame, rules: Rules) -> dict[str, pl.DataFrame]:
    """The faces that are left after `require`, and of these after `where`, by the step's name; a step not set is none.

    faces: as of `candidates.selectable_faces`. Raises UserError for an expression that is wrong, or a column that no
    source has.
    """
    if not rules.require and not rules.where:
        return {}
    columns = _columns_by_video(out, faces.columns)
    known = ", ".join(name for name in columns.columns if name != "video_id") or "none"
    left, steps = faces.join(columns, on="video_id", how="left", maintain_order="left"), {}
    if rules.require:
        for name in rules.require:
            if name not in left.columns:
                raise UserError(f"{out}: require {name}: no source has that column; the manifest's: {known}")
        left = left.filter(*(pl.col(name).is_not_null() for name in rules.require))
        steps[f"with {', '.join(rules.require)}"] = left.select(faces.columns)
    if rules.where:
        try:
            left = left.filter(pl.sql_expr(rules.where))
        except PolarsError as error:
            raise UserError(
                f"{out}: where {rules.where!r}: {str(error).splitlines()[0]}; write it as in SQL: "
                f"licence = 'CC0' AND age > 30; the manifest's columns: {known}"
            ) from None
        steps["where"] = left.select(faces.columns)
    return steps


def without_refused(out: str, faces: pl.DataFrame) -> pl.DataFrame | None:
    """The faces without those of sources that `mine --require` has refused since they were mined; None if there are
    none."""
    plan = read_plan(open_run_folder(out))
    if plan is None:
        return None
    wanted = plan.filter(pl.col("status") == str(VideoStatus.PLANNED))["video_id"]
    refused = plan.filter(pl.col("status") == str(VideoStatus.REFUSED))["video_id"]
    gone = refused.filter(~refused.is_in(wanted.implode()))
    left = faces.filter(~pl.col("video_id").is_in(gone.implode()))
    return left if len(left) < len(faces) else None


def _columns_by_video(out: str, taken: list[str]) -> pl.DataFrame:
    """The manifest's columns, one row per video_id; where several sources are one video, the mined one's."""
    plan = read_plan(open_run_folder(out))
    if plan is None:
        return pl.DataFrame(schema={"video_id": pl.String})
    own = manifest_table(plan, taken)
    planned_first = (plan["status"] != str(VideoStatus.PLANNED)).alias("planned_last")
    table = own.with_columns(plan["video_id"], planned_first).sort("planned_last", maintain_order=True)
    return table.unique("video_id", keep="first", maintain_order=True).drop("planned_last")
