"""The pose bin under which a selected face is exported."""

from __future__ import annotations

import polars as pl

from lpff_ray.types import PoseBin

POSE_BINS = tuple(member.value for member in PoseBin)
PROFILE_BINS = tuple(name for name in POSE_BINS if name.startswith("profile_"))
"""Every bin but `frontal` and `confused`."""


def selected_bin() -> pl.Expr:
    """A selected face's pose bin: the selection's, which a review may have changed, where that is one of EFHQ's; else
    the measured `pose_bin`.

    Of columns `bin` and `pose_bin`. (`bin` of other selections is a cell of angles, a camera or the like.)
    """
    return pl.when(pl.col("bin").is_in(POSE_BINS)).then("bin").otherwise("pose_bin")
