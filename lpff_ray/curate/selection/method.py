"""What a selection method is: a way of choosing faces for a dataset, with the settings that it reads.

To add one, write a file like those in `methods/` and list it in `registry.py`, or in the entry points of your own
package (`docs/selection.md#a-method-of-your-own`). A preset, or the `[select]` table of a `--config` file, names it as
its `method`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from lpff_ray.curate.selection.funnel import Funnel


class Rules(BaseModel):
    """The settings that every method has: limits of pose, gates of quality, bins and split.

    A method's own are fields of a subclass. A limit or gate that is not set lets every face pass.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = ""
    require: tuple[str, ...] = Field(
        default=(),
        description="columns of the manifest, such as licence, that a face's source must have a value in",
    )
    where: str = Field(
        default="",
        description="which sources, as in SQL, over the manifest's columns: licence = 'CC0' AND age > 30",
    )
    duplicates: bool = Field(default=False, description="select faces too that repeat another one")
    min_det_score: float | None = Field(default=None, ge=0, le=1, description="lowest detection score kept")
    min_area: float | None = Field(
        default=None, ge=0, description="least area of the face's box, square pixels (10000: 100 x 100)"
    )
    min_sharpness: float | None = Field(default=None, ge=0, le=1, description="least sharpness kept")
    min_iqa: float | None = Field(
        default=None, ge=0, le=100, description="lowest iqa kept, in place of a share"
    )
    min_iqa_quantile: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="without min_iqa: share of the faces of every bin that is left out, those of least iqa",
    )
    min_hyperiqa: float | None = Field(
        default=None, ge=0, le=100, description="lowest iqa kept of a run mined with iqa = hyperiqa"
    )
    max_pose_spread: float | None = Field(
        default=None, ge=0, le=180, description="largest disagreement of the pose estimators, degrees"
    )
    min_yaw: float | None = Field(default=None, ge=0, le=180, description="least |yaw| selected, degrees")
    max_yaw: float | None = Field(default=None, gt=0, le=180, description="largest |yaw| selected, degrees")
    min_azimuth: float | None = Field(
        default=None, ge=0, le=180, description="least |azimuth| of the nose selected, degrees"
    )
    max_azimuth: float | None = Field(
        default=None, gt=0, le=180, description="largest |azimuth| of the nose selected, degrees"
    )
    min_elevation: float | None = Field(
        default=None, ge=-90, le=90, description="least elevation of the nose selected, degrees, > 0 up"
    )
    max_elevation: float | None = Field(
        default=None, ge=-90, le=90, description="largest elevation of the nose selected, degrees, > 0 up"
    )
    max_tilt: float | None = Field(default=None, gt=0, le=180, description="largest |tilt| selected, degrees")
    bins: Literal["pose_bin", "pose_bin_strict", "pose_bin_fine", "track_bin"] = Field(
        default="pose_bin",
        description="the column of the faces table that says a face's bin, or dedupe's, smoothed over the track",
    )
    test_share: float = Field(default=0.1, ge=0, le=1, description="share of identities that are for testing")
    seed: int = Field(default=0, description="seed of the split, and of what is drawn")
    method: str = Field(description="how faces are chosen: a name in the registry of selection methods")


RulesT = TypeVar("RulesT", bound=Rules)


@dataclass(frozen=True)
class SelectionMethod(Generic[RulesT]):
    """One way of choosing faces.

    rules: the settings it reads. choose(faces, rules, funnel, found): see below. advice: what a user can change where
    no face is in the poses that the method asks for, for the message about an empty selection. together: what to call
    settings that contradict each other (a model validator's error), as in "setting TOGETHER: ...".

    `choose` gets the faces that passed the gates, one row each, sorted by face_id: face_id, identity_id, bin (the
    reviewer's where there is one), yaw, pitch, roll, azimuth, elevation, tilt, pose_spread (degrees; `moved`: a
    reviewer corrected the bin, so that the angles are not to be trusted), iqa, det_score, sharpness, area; video_id,
    track_id. It gives the
    rows of the chosen ones, in the order of their rank, perhaps with columns

    - reason: text, why the face was chosen; else the method's name;
    - copies (int, default 1) and weight (float, default 1): how often a training list repeats it, a sampling weight;
    - cell: text, takes the place of `bin` in the selection.

    It counts the faces that are left after each of its steps (`funnel.after(step, faces)`), and records in the mapping
    `found` what its result rests on beside the settings, as JSON values. The result must depend on the faces and rules
    alone: ties end at face_id, and what is drawn is drawn by hash (`sampling.draws`).
    """

    rules: type[RulesT]
    choose: Callable[[pl.DataFrame, RulesT, Funnel, dict[str, Any]], pl.DataFrame]
    advice: str
    together: str = "combination"
