"""Counts of the faces that each step leaves."""

from __future__ import annotations

import polars as pl

from lpff_ray.curate.selection.funnel import Funnel


def test_steps_are_counted_in_all_and_by_bin() -> None:
    faces, funnel = pl.DataFrame({"bin": ["profile_left", "frontal", "frontal"]}), Funnel()
    assert funnel.after("faces", faces) is faces
    funnel.after("pose", faces.filter(pl.col("bin") != "frontal"))
    funnel.after("caps", faces.clear())
    assert funnel.table().rows(named=True) == [
        {"step": "faces", "faces": 3, "frontal": 2, "profile_left": 1},
        {"step": "pose", "faces": 1, "frontal": 0, "profile_left": 1},
        {"step": "caps", "faces": 0, "frontal": 0, "profile_left": 0},
    ]
    assert funnel.line() == "3 faces, 1 pose, 0 caps"
