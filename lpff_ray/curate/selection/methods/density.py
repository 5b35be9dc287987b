"""Method "density": faces in poses that a reference set has few of, with sampling weights (LPFF's rebalancing)."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from lpff_ray.curate.selection.cameras import (
    GAUSSIAN_REFERENCE,
    cameras_from_angles,
    mirrored_cameras,
    reference_cameras,
    with_mirror_images,
)
from lpff_ray.curate.selection.funnel import Funnel
from lpff_ray.curate.selection.kernel_density import copies_by_density, kernel_density, weights_by_density
from lpff_ray.curate.selection.method import Rules, SelectionMethod
from lpff_ray.curate.selection.sampling import BEST_IQA, PER, Group, best_per_group


class DensityRules(Rules):
    """Faces in poses that a reference has few of, and how often to repeat them."""

    reference: str = Field(
        default=GAUSSIAN_REFERENCE,
        description="cameras that poses are to be rare among: ffhq_like_gaussian, or a file, folder or run",
    )
    max_density: float = Field(
        default=0.4,
        gt=0,
        description="density in the reference, per square radian, that a pose has to be below",
    )
    per_identity_bin: int | None = Field(
        default=None, ge=1, description="most faces of one identity (or other group, see per) in one bin"
    )
    per: Group = Field(default="identity", description=PER)
    rebalance: Literal["with_reference", "alone", "none"] = Field(
        default="with_reference", description="whose density decides how often a face is repeated"
    )
    mirrored: bool = Field(default=True, description="count the mirror images too, which are trained on")
    copy_density: float = Field(
        default=0.24,
        gt=0,
        description="a face is listed this / its density times, rounded, within 1..max_copies",
    )
    max_copies: int = Field(default=4, ge=1, description="most times by copy_density")
    extra_copies: tuple[float, ...] = Field(
        default=(0.03, 0.02),
        description="falling densities: below the first max_copies + 1 times, and once more for each further one",
    )

    @field_validator("extra_copies")
    @classmethod
    def _falling(cls, densities: tuple[float, ...]) -> tuple[float, ...]:
        if any(density <= 0 for density in densities) or list(densities) != sorted(
            set(densities), reverse=True
        ):
            raise ValueError("give falling numbers above 0, such as [0.03, 0.02], or [] for none")
        return densities


def rare_poses(
    faces: pl.DataFrame, rules: DensityRules, funnel: Funnel, found: dict[str, Any]
) -> pl.DataFrame:
    """The faces in poses that the reference has few of, rarest first, with copies and weights by density."""
    given = reference_cameras(rules.reference)
    # The reference's mirror images are trained on as the selection's are: a run holds none of its own.
    reference = with_mirror_images(given) if rules.mirrored else given
    found["reference"] = {
        "cameras": len(reference),
        "mirror_images_added": len(reference) > len(given),
        # Rounded: the last bits of sines and cosines depend on where in memory an array lies.
        "sha256": hashlib.sha256((reference.round(6) + 0.0).tobytes()).hexdigest(),
    }
    # A face that a reviewer moved to another bin has no angles to be trusted with.
    faces = faces.filter(~pl.col("moved"))
    cameras = cameras_from_angles(*(faces[angle].to_numpy() for angle in ("yaw", "pitch", "roll")))
    faces = faces.with_columns(
        pl.Series("theta", cameras[:, 0]),
        pl.Series("phi", cameras[:, 1]),
        pl.Series("rarity", kernel_density(reference).at(cameras)),
    )
    rare = funnel.after("pose", faces.filter(pl.col("rarity") < rules.max_density))
    best = best_per_group(rare, rules.per, BEST_IQA, rules.per_identity_bin)
    chosen = best.sort("rarity", "face_id")
    funnel.after("caps", chosen)
    reason = pl.format("density {} per square radian in the reference", pl.col("rarity").round_sig_figs(2))
    chosen = chosen.with_columns(reason.alias("reason"))
    if rules.rebalance == "none" or chosen.is_empty():
        return chosen
    own = chosen.select("theta", "phi").to_numpy()
    sets = [own, mirrored_cameras(own)] if rules.mirrored else [own]
    if rules.rebalance == "with_reference":
        sets.append(reference)
    density = kernel_density(np.concatenate(sets)).at(own)
    steps = (rules.copy_density, rules.max_copies, rules.extra_copies)
    return chosen.with_columns(
        pl.Series("copies", copies_by_density(density, *steps)),
        pl.Series("weight", weights_by_density(density, *steps)),
    )


METHOD = SelectionMethod(
    rules=DensityRules, choose=rare_poses, advice="a larger --max-density takes commoner poses in"
)
