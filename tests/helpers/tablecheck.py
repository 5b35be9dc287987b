"""What it means for two faces tables to be the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

FLOATS = 1e-4


def assert_same_faces(
    left: pl.DataFrame, right: pl.DataFrame, but: Sequence[str] = (), floats: float = FLOATS
) -> None:
    """Same rows in the same order: keys, names and integers exactly, floats within `floats`. but: columns
    left out."""
    left, right = left.drop(but), right.drop(but)
    assert left.schema == right.schema
    assert len(left) == len(right) > 0
    for name, kind in left.schema.items():
        ours, theirs = left[name], right[name]
        if name == "pose_votes":
            ours, theirs = ours.explode(), theirs.explode()
            assert_frame_equal(
                ours.struct.unnest(), theirs.struct.unnest(), check_exact=False, abs_tol=floats, rel_tol=0
            )
        elif isinstance(kind, pl.Array) or kind.is_float():
            assert ours.is_null().equals(theirs.is_null()), name
            difference = np.abs(ours.drop_nulls().to_numpy() - theirs.drop_nulls().to_numpy())
            assert difference.max(initial=0.0) <= floats, (name, float(difference.max()))
        else:
            assert ours.equals(theirs), name
