"""EFHQ's pose bins: they sort faces by where the head is turned, from the votes of several pose estimators.

Source: EFHQ, `2_merging/celeb/helper.py` (`bin_a_pose`) and `cli.py` (`binning`, `poseizer_stepbin`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.types import PoseBin

YAW_LIMIT = 45.0
PITCH_LIMIT = 30.0
PITCH_FADES = (40.0, 55.0)  # degrees of |yaw|
FINE_STEPS = (30, 40, 50, 60, 70, 80, 90)
PROFILE = "profile_"  # what the names of all bins begin with but frontal and confused


def binned_pitch(yaw: NDArray, pitch: NDArray) -> NDArray[np.float64]:
    """The pitch that bins go by [n], degrees, of yaw and pitch [n].

    It is the pitch itself up to PITCH_FADES[0] degrees of yaw, and how far the nose points up or down (see
    `geometry.rotation.direction_from_matrix`) from PITCH_FADES[1] on: there a level profile may have any pitch.
    Evidence: docs/evidence/pose.md#bins-at-profile
    """
    y, p = np.radians(np.asarray(yaw, np.float64)), np.asarray(pitch, np.float64)
    elevation = np.degrees(np.arcsin(np.clip(np.sin(np.radians(p)) * np.cos(y), -1, 1)))
    return p + np.interp(np.abs(yaw), PITCH_FADES, (0.0, 1.0)) * (elevation - p)


def bin_of(yaw: float, pitch: float) -> str:
    """EFHQ's bin of one estimator's angles in degrees. Positive yaw is EFHQ's `profile_left`."""
    if abs(yaw) < YAW_LIMIT and abs(pitch) < PITCH_LIMIT:
        return PoseBin.FRONTAL
    if abs(pitch) < PITCH_LIMIT and abs(yaw) > YAW_LIMIT:
        return PoseBin.LEFT if yaw > 0 else PoseBin.RIGHT
    if abs(yaw) < YAW_LIMIT and abs(pitch) > PITCH_LIMIT:
        return PoseBin.UP if pitch > 0 else PoseBin.DOWN
    return PoseBin.EXTREME


def majority_bin(bins: Sequence[str]) -> str:
    """Majority vote; without one, the direction that all profile votes share, else `confused`.

    A majority is more than half of the votes: of EFHQ's three, two. Two out of five would depend on their order.
    """
    if not bins:
        return PoseBin.CONFUSED
    winner, count = Counter(bins).most_common(1)[0]
    if 2 * count > len(bins):
        return winner
    if set(bins) <= {PoseBin.LEFT, PoseBin.RIGHT, PoseBin.EXTREME}:
        return PoseBin.HORIZONTAL
    if set(bins) <= {PoseBin.UP, PoseBin.DOWN, PoseBin.EXTREME}:
        return PoseBin.VERTICAL
    return PoseBin.CONFUSED


def resolved_bin(majority: pl.Expr, fine: pl.Expr) -> pl.Expr:
    """The majority bin with a sign: `profile_horizontal` and `profile_vertical` become the bin to the side, up or down
    that `fine_bin` found, by the sign of most votes. EFHQ's review tool proposes that one.

    majority, fine: columns of names, as of `majority_bin` and `fine_bin`.
    """
    direction = pl.concat_str(pl.lit(PROFILE), fine.str.extract("^(left|right|up|down)_"))
    unsigned = majority.is_in([str(PoseBin.HORIZONTAL), str(PoseBin.VERTICAL)])
    return pl.when(unsigned & direction.is_not_null()).then(direction).otherwise(majority)


def unanimous_bin(bins: Sequence[str]) -> str:
    """The bin that all estimators agree on, else `confused`."""
    return bins[0] if bins and len(set(bins)) == 1 else PoseBin.CONFUSED


def fine_bin(majority: str, angles: NDArray) -> str:
    """The majority bin in steps of ten degrees: `left_30_40` ... `down_80_90`; `frontal` and `confused` stay.

    angles: yaw and pitch (`binned_pitch`) in degrees [votes, 2] of the estimators that voted.

    The step is that of the mean size of their yaw (bins to the side) or pitch (up and down), 90 and more counting as
    80_90 and less than 30 as `frontal`; for `profile_extreme` the larger of the two counts. The direction is the sign
    that most votes have, or that of their sum where both signs have as many.
    """
    if majority in (PoseBin.FRONTAL, PoseBin.CONFUSED):
        return majority
    yaw, pitch = np.abs(angles).mean(0)
    direction = str(majority).removeprefix(PROFILE)
    if direction == "extreme":
        direction = "horizontal" if yaw > pitch else "vertical"
    sideways = direction in ("left", "right", "horizontal")
    size = yaw if sideways else pitch
    if size < FINE_STEPS[0]:
        return PoseBin.FRONTAL
    if direction in ("horizontal", "vertical"):
        votes = angles[:, 0 if sideways else 1]
        positive = (np.sign(votes).sum() or votes.sum()) > 0
        direction = ("left" if positive else "right") if sideways else ("up" if positive else "down")
    low = min(int(size // 10) * 10, FINE_STEPS[-2])
    return f"{direction}_{low}_{low + 10}"
