"""Poses before and after a selection, as shares and as a picture."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from lpff_ray.curate.selection.histograms import angle_shares, pose_histograms, selection_stages, yaw_shares

BEFORE = pl.DataFrame({"yaw": [-50.0, 0.0, 0.0, 170.0], "pitch": [0.0, 10.0, -10.0, 0.0]})
AFTER = pl.DataFrame({"yaw": [-50.0, 0.0], "pitch": [0.0, 10.0], "copies": [3, 1]})


def test_what_lies_outside_counts_in_the_outermost_steps() -> None:
    shares = angle_shares(BEFORE["yaw"], pl.Series([1, 1, 1, 1]), np.array([-90.0, -30.0, 30.0, 90.0]))
    assert shares.tolist() == [0.25, 0.5, 0.25]


def test_repeated_faces_are_a_stage_of_their_own() -> None:
    once = AFTER.with_columns(copies=pl.lit(1))
    assert [name for name, _, _ in selection_stages(BEFORE, once)] == ["before", "selected"]
    edges, stages = yaw_shares(BEFORE, AFTER)
    assert list(stages) == ["before", "selected", "rebalanced"]
    step = int(np.searchsorted(edges, -50.0)) - 1
    assert [float(stages[name][step]) for name in stages] == pytest.approx([0.25, 0.5, 0.75])
    assert all(shares.sum() == pytest.approx(1) for shares in stages.values())


def test_the_picture_is_the_same_for_the_same_selection() -> None:
    picture = pose_histograms(BEFORE, AFTER, "a title")
    assert picture.startswith(b"\x89PNG")
    assert picture == pose_histograms(BEFORE, AFTER, "a title")
