"""What a selection keeps: presets, a `[select]` table of the user's over them, command-line flags over both."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lpff_ray.config import validated
from lpff_ray.curate.config import read_table
from lpff_ray.errors import UserError
from lpff_ray.storage.toml import read_toml

PRESETS = Path(__file__).with_name("presets")


class Rules(BaseModel):
    """What every way of selecting has in common. A gate that is not set lets every face pass."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = ""
    duplicates: bool = Field(default=False, description="select faces too that repeat another one")
    min_det_score: float | None = Field(default=None, ge=0, le=1, description="lowest detection score kept")
    min_area: float | None = Field(
        default=None, ge=0, description="least area of the face's box, square pixels (65536: 256 x 256)"
    )
    min_sharpness: float | None = Field(default=None, ge=0, le=1, description="least sharpness kept")
    min_iqa: float | None = Field(
        default=None, ge=0, le=100, description="lowest iqa kept, in place of a share"
    )
    min_iqa_quantile: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="without min_iqa: share of the faces that is left out, those of least iqa",
    )
    min_hyperiqa: float | None = Field(
        default=None, ge=0, le=100, description="lowest iqa kept of a run mined with iqa = hyperiqa"
    )
    max_pose_spread: float | None = Field(
        default=None, ge=0, le=180, description="largest disagreement of the pose estimators, degrees"
    )
    bins: Literal["pose_bin", "pose_bin_strict", "pose_bin_fine"] = Field(
        default="pose_bin", description="the column of the faces table that says a face's bin"
    )
    test_share: float = Field(default=0.1, ge=0, le=1, description="share of identities that are for testing")
    seed: int = Field(default=0, description="seed of the split, and of what is drawn")


class PerBinRules(Rules):
    """The most turned faces of every identity in every pose bin."""

    method: Literal["per_bin"]
    with_frontal: bool = Field(default=False, description="select frontal faces too")
    per_identity_bin: int = Field(default=10, ge=1, description="most faces of one identity in one bin")


class DensityRules(Rules):
    """Faces in poses that a reference has few of, and how often to repeat them."""

    method: Literal["density"]
    reference: str = Field(
        default="ffhq_like_gaussian",
        description="cameras that poses are to be rare among: ffhq_like_gaussian, or a file, folder or run",
    )
    max_density: float = Field(
        default=0.4,
        gt=0,
        description="density in the reference, per square radian, that a pose has to be below",
    )
    per_identity_bin: int | None = Field(
        default=None, ge=1, description="most faces of one identity in one bin"
    )
    rebalance: Literal["with_reference", "alone", "none"] = Field(
        default="with_reference", description="whose density decides how often a face is repeated"
    )
    mirrored: bool = Field(default=True, description="count the mirror images too, which are trained on")
    copy_densities: tuple[float, ...] = Field(
        default=(0.1, 0.06, 0.04, 0.02, 0.01),
        description="falling densities per square radian; each that a face is not above adds a copy",
    )

    @field_validator("copy_densities")
    @classmethod
    def _falling(cls, densities: tuple[float, ...]) -> tuple[float, ...]:
        if not densities or min(densities) <= 0 or list(densities) != sorted(set(densities), reverse=True):
            raise ValueError("give falling numbers above 0, such as [0.1, 0.06]")
        return densities


class UniformRules(Rules):
    """As many faces of every yaw and pitch as there are, under a budget."""

    method: Literal["uniform"]
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


class VerificationRules(Rules):
    """Frontal and extreme faces of people who can be compared with themselves."""

    method: Literal["verification"]
    frontal_per_identity: int = Field(default=50, ge=1, description="most frontal faces of one identity")
    profile_per_identity_bin: int = Field(
        default=100, ge=1, description="most faces of one identity in each other bin"
    )
    min_faces: int = Field(default=2, ge=2, description="fewest usable faces of an identity")


AnyRules = PerBinRules | DensityRules | UniformRules | VerificationRules
_METHODS: dict[str, type[AnyRules]] = {
    "per_bin": PerBinRules,
    "density": DensityRules,
    "uniform": UniformRules,
    "verification": VerificationRules,
}


def presets() -> list[str]:
    """Names of the presets."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_rules(
    preset: str, overrides: Mapping[str, Any] | None = None, config: str | Path | None = None
) -> AnyRules:
    """The preset's rules with the `[select]` table of the file `config` over them and `overrides` over both.

    overrides: by setting; None leaves a setting alone. A new `min_iqa` or `min_iqa_quantile` takes the place of all
    the preset says about iqa. Raises UserError naming the preset, file or setting at fault.
    """
    if preset not in presets():
        raise UserError(
            f"preset {preset!r}: there are {', '.join(presets())}; your own rules go into --config FILE"
        )
    settings = read_toml(PRESETS / f"{preset}.toml")
    rules = _METHODS[settings["method"]]
    layers = [read_table(Path(config), "select")] if config is not None else []
    layers.append({name: value for name, value in (overrides or {}).items() if value is not None})
    for layer in layers:
        if layer.keys() & {"min_iqa", "min_iqa_quantile"}:
            for gate in ("min_iqa", "min_iqa_quantile", "min_hyperiqa"):
                settings.pop(gate, None)
        settings.update(layer)
    return validated(rules, settings, config, layers[-1], f"preset {preset}", whole="of the cells")
