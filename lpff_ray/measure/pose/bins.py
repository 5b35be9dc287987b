"""EFHQ's pose bins, from the votes of several estimators.

Source: EFHQ, `2_merging/celeb/helper.py` (`bin_a_pose`) and `cli.py` (`binning`, `poseizer_stepbin`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

YAW_LIMIT = 45.0
PITCH_LIMIT = 30.0
FINE_STEPS = (30, 40, 50, 60, 70, 80, 90)


def bin_of(yaw: float, pitch: float) -> str:
    """The bin of one estimator's angles in degrees. Positive yaw is EFHQ's `profile_left`."""
    if abs(yaw) < YAW_LIMIT and abs(pitch) < PITCH_LIMIT:
        return "frontal"
    if abs(pitch) < PITCH_LIMIT and abs(yaw) > YAW_LIMIT:
        return "profile_left" if yaw > 0 else "profile_right"
    if abs(yaw) < YAW_LIMIT and abs(pitch) > PITCH_LIMIT:
        return "profile_up" if pitch > 0 else "profile_down"
    return "profile_extreme"


def soft_bin(bins: Sequence[str]) -> str:
    """Majority vote; without one, the direction that all profile votes share, else `confused`.

    A majority is more than half of the votes: of EFHQ's three, two. Two out of five would depend on their order.
    """
    if not bins:
        return "confused"
    winner, count = Counter(bins).most_common(1)[0]
    if 2 * count > len(bins):
        return winner
    if any(name == "frontal" for name in bins):
        return "confused"
    directions = {name.removeprefix("profile_") for name in bins}
    if directions <= {"left", "right", "extreme"}:
        return "profile_horizontal"
    if directions <= {"up", "down", "extreme"}:
        return "profile_vertical"
    return "confused"


def hard_bin(bins: Sequence[str]) -> str:
    """The bin that all estimators agree on, else `confused`."""
    return bins[0] if bins and len(set(bins)) == 1 else "confused"


def fine_bin(soft: str, angles: NDArray) -> str:
    """The soft bin in steps of ten degrees: `left_30_40` ... `down_80_90`; `frontal` and `confused` stay what they are.

    angles: yaw and pitch in degrees [votes, 2] of the estimators that voted.

    The step is that of the mean size of their yaw (bins to the side) or pitch (up and down), 90 and more counting as
    80_90 and less than 30 as `frontal`; `profile_extreme` goes by whichever of the two is larger. The direction is that
    of most votes' signs, or of their sum where as many say the one as the other.
    """
    if not soft.startswith("profile_"):
        return soft
    yaw, pitch = np.abs(angles).mean(0)
    direction = soft.removeprefix("profile_")
    if direction == "extreme":
        direction = "horizontal" if yaw > pitch else "vertical"
    sideways = direction in ("left", "right", "horizontal")
    size = yaw if sideways else pitch
    if size < FINE_STEPS[0]:
        return "frontal"
    if direction in ("horizontal", "vertical"):
        votes = angles[:, 0 if sideways else 1]
        positive = (np.sign(votes).sum() or votes.sum()) > 0
        direction = ("left" if positive else "right") if sideways else ("up" if positive else "down")
    low = min(int(size // 10) * 10, FINE_STEPS[-2])
    return f"{direction}_{low}_{low + 10}"
