"""Method "verification": frontal and turned faces of people who can be compared with themselves (EFHQ's benchmark)."""

from __future__ import annotations

from typing import Any

import polars as pl
from pydantic import Field

from lpff_ray.curate.selection.funnel import Funnel
from lpff_ray.curate.selection.method import Rules, SelectionMethod
from lpff_ray.curate.selection.sampling import best_of_each, draws
from lpff_ray.types import PoseBin


class VerificationRules(Rules):
    """Frontal and extreme faces of people who can be compared with themselves."""

    frontal_per_identity: int = Field(default=50, ge=1, description="most frontal faces of one identity")
    profile_per_identity_bin: int = Field(
        default=100, ge=1, description="most faces of one identity in each other bin"
    )
    min_faces: int = Field(default=2, ge=2, description="fewest usable faces of an identity")


def comparable_faces(
    faces: pl.DataFrame, rules: VerificationRules, funnel: Funnel, found: dict[str, Any]
) -> pl.DataFrame:
    """Of every identity with enough usable faces, up to the cap of each bin, drawn at random by hash."""
    known = faces.filter(pl.col("bin") != PoseBin.CONFUSED)
    posed = funnel.after("pose", known.filter(pl.len().over("identity_id") >= rules.min_faces))
    drawn = posed.with_columns(draws(posed["face_id"], rules.seed))
    most = (
        pl.when(pl.col("bin") == PoseBin.FRONTAL)
        .then(rules.frontal_per_identity)
        .otherwise(rules.profile_per_identity_bin)
    )
    shuffled = best_of_each(drawn, ("identity_id", "bin"), (pl.col("draw"),), None)
    chosen = funnel.after("caps", shuffled.filter(pl.col("position") < most))
    reason = pl.format("drawn as number {} of its identity in {}", pl.col("position") + 1, "bin")
    return chosen.with_columns(reason.alias("reason"))


METHOD = SelectionMethod(
    rules=VerificationRules,
    choose=comparable_faces,
    advice="it takes identities with min_faces usable faces",
)
