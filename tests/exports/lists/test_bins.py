"""The bin of a selected face."""

from __future__ import annotations

import polars as pl

from lpff_ray.exports.lists.bins import POSE_BINS, PROFILE_BINS, selected_bin


def test_the_selections_bin_counts_where_it_is_a_pose_bin() -> None:
    faces = pl.DataFrame(
        {
            "bin": ["profile_up", "yaw 30..45", None, "confused"],
            "pose_bin": ["frontal", "profile_left", "profile_right", "frontal"],
        }
    )
    found = faces.select(found=selected_bin())["found"].to_list()
    assert found == ["profile_up", "profile_left", "profile_right", "confused"]


def test_all_bins_but_two_are_profiles() -> None:
    assert set(POSE_BINS) - set(PROFILE_BINS) == {"frontal", "confused"}
