"""Method "per_bin": a stratified cap. Of every identity in every pose bin, the most turned faces (EFHQ's sampling)."""

from __future__ import annotations

from typing import Any

import polars as pl
from pydantic import Field

from lpff_ray.curate.selection.funnel import Funnel
from lpff_ray.curate.selection.method import Rules, SelectionMethod
from lpff_ray.curate.selection.sampling import PER, Group, best_per_group
from lpff_ray.types import PoseBin

# Largest |yaw| first, then largest |pitch|, then best quality. Source: EFHQ, `3_align_sample/cli_sample_gan.py` (vfhq);
# its `celeb` command sorts the other way round and so keeps the least turned faces.
MOST_TURNED = (-pl.col("yaw").abs(), -pl.col("pitch").abs(), -pl.col("iqa"))


class PerBinRules(Rules):
    """The most turned faces of every identity in every pose bin."""

    with_frontal: bool = Field(default=False, description="select frontal faces too")
    per: Group = Field(default="identity", description=PER)
    per_identity_bin: int = Field(
        default=10, ge=1, description="most faces of one identity (or other group, see per) in one bin"
    )


def most_turned_faces(
    faces: pl.DataFrame, rules: PerBinRules, funnel: Funnel, found: dict[str, Any]
) -> pl.DataFrame:
    """Of every identity (or other group) in every pose bin, the faces of largest |yaw|, then |pitch|, then iqa, up to
    the cap."""
    left_out = [PoseBin.CONFUSED] if rules.with_frontal else [PoseBin.CONFUSED, PoseBin.FRONTAL]
    posed = funnel.after("pose", faces.filter(~pl.col("bin").is_in(left_out)))
    best = funnel.after("caps", best_per_group(posed, rules.per, MOST_TURNED, rules.per_identity_bin))
    reason = pl.format(
        f"number {{}} of its {rules.per} in {{}} by |yaw|, |pitch|, iqa", pl.col("position") + 1, "bin"
    )
    return best.with_columns(reason.alias("reason"))


METHOD = SelectionMethod(
    rules=PerBinRules, choose=most_turned_faces, advice="--with-frontal takes frontal faces in"
)
