"""EFHQ's pose bins, from the votes of several estimators.

Source: EFHQ, `2_merging/celeb/helper.py` (`bin_a_pose`) and `cli.py` (`binning`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

YAW_LIMIT = 45.0
PITCH_LIMIT = 30.0


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
    """Majority vote; without one, the direction that all profile votes share, else `confused`."""
    if not bins:
        return "confused"
    winner, count = Counter(bins).most_common(1)[0]
    if count > 1 or len(bins) == 1:
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
