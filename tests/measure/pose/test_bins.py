"""EFHQ's bins and votes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from lpff_ray.measure.pose.bins import (
    bin_of,
    binned_pitch,
    fine_bin,
    majority_bin,
    resolved_bin,
    unanimous_bin,
)


@pytest.mark.parametrize(
    ("yaw", "pitch", "expected"),
    [
        (0, 0, "frontal"),
        (44.9, -29.9, "frontal"),
        (46, 0, "profile_left"),
        (-80, 10, "profile_right"),
        (0, 31, "profile_up"),
        (10, -50, "profile_down"),
        (60, 40, "profile_extreme"),
        (45, 0, "profile_extreme"),  # EFHQ's inequalities are strict on both sides
    ],
)
def test_bin_of(yaw: float, pitch: float, expected: str) -> None:
    assert bin_of(yaw, pitch) == expected


def test_the_pitch_of_bins_is_the_elevation_at_profile_and_changes_smoothly_to_it() -> None:
    yaw = np.linspace(-100, 100, 2001)
    for pitch in (-70.0, -20.0, 0.0, 45.0):
        binned = binned_pitch(yaw, np.full_like(yaw, pitch))
        near, far = np.abs(yaw) <= 40, np.abs(yaw) >= 55
        assert np.array_equal(binned[near], np.full(near.sum(), pitch))
        assert np.sin(np.radians(binned[far])) == pytest.approx(
            np.sin(np.radians(pitch)) * np.cos(np.radians(yaw[far])), abs=1e-9
        )
        assert np.abs(np.diff(binned)).max() < 0.5, "a tenth of a degree of yaw"


@pytest.mark.parametrize(
    ("votes", "soft", "hard"),
    [
        (["frontal"] * 3, "frontal", "frontal"),
        (["profile_left", "profile_left", "frontal"], "profile_left", "confused"),
        (["profile_left", "profile_right", "profile_extreme"], "profile_horizontal", "confused"),
        (["profile_up", "profile_extreme"], "profile_vertical", "confused"),
        (["profile_up", "profile_left"], "confused", "confused"),
        (["frontal", "profile_left"], "confused", "confused"),
        ([], "confused", "confused"),
    ],
)
def test_votes(votes: list[str], soft: str, hard: str) -> None:
    assert majority_bin(votes) == soft
    assert unanimous_bin(votes) == hard


@pytest.mark.parametrize("order", range(5))
def test_two_of_five_are_no_majority_whatever_their_order(order: int) -> None:
    votes = ["frontal", "frontal", "profile_left", "profile_left", "profile_extreme"]
    votes = votes[order:] + votes[:order]
    assert majority_bin(votes) == "confused"


@pytest.mark.parametrize(
    ("soft", "angles", "fine"),
    [
        ("frontal", [(40, 10)] * 3, "frontal"),
        ("confused", [(80, 10), (0, 0), (0, 60)], "confused"),
        ("profile_left", [(46, 0), (46, 0), (10, 0)], "left_30_40"),
        (
            "profile_left",
            [(46, 0), (46, 0), (-10, 0)],
            "left_30_40",
        ),  # of the sizes' mean, not the mean's size
        ("profile_left", [(50, 0)] * 3, "left_50_60"),
        ("profile_right", [(-49.9, 0)] * 3, "right_40_50"),
        ("profile_right", [(-89, 0), (-93, 0), (-95, 0)], "right_80_90"),
        ("profile_right", [(-90, 0)] * 3, "right_80_90"),  # EFHQ's own code has no answer here
        ("profile_up", [(0, 31), (0, 35), (0, 52)], "up_30_40"),
        ("profile_down", [(0, -75), (0, -65), (5, -70)], "down_70_80"),
        ("profile_horizontal", [(50, 0), (-50, 0), (60, 40)], "left_50_60"),
        ("profile_horizontal", [(-50, 0), (50, 0), (-60, 40)], "right_50_60"),
        ("profile_horizontal", [(50, 0), (-60, 31)], "right_50_60"),  # one against one: the larger sum
        ("profile_vertical", [(0, 35), (46, 45), (50, -35)], "up_30_40"),
        ("profile_extreme", [(60, 40)] * 3, "left_60_70"),
        ("profile_extreme", [(-46, -70)] * 3, "down_70_80"),
        ("profile_extreme", [(-60, 40), (-70, 50), (60, 40)], "right_60_70"),
        ("profile_horizontal", [(46, 0), (-46, 31), (-3, 31), (4, -31)], "frontal"),  # under 30 in the mean
    ],
)
def test_fine_bins_follow_efhqs_labels(soft: str, angles: list[tuple[float, float]], fine: str) -> None:
    assert fine_bin(soft, np.array(angles, float)) == fine


def test_bins_without_a_sign_get_that_of_most_votes() -> None:
    table = pl.DataFrame(
        {
            "bin": [
                "profile_horizontal",
                "profile_horizontal",
                "profile_vertical",
                "profile_left",
                "confused",
            ],
            "fine": ["left_50_60", "right_50_60", "down_30_40", "left_40_50", "confused"],
        }
    )
    resolved = table.select(resolved_bin(pl.col("bin"), pl.col("fine"))).to_series()
    assert resolved.to_list() == ["profile_left", "profile_right", "profile_down", "profile_left", "confused"]
    older = table.head(1).with_columns(fine=pl.lit(None, pl.String))
    assert older.select(resolved_bin(pl.col("bin"), pl.col("fine"))).item() == "profile_horizontal"
