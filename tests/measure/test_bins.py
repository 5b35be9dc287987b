"""EFHQ's bins and votes."""

from __future__ import annotations

import pytest

from lpff_ray.measure.bins import bin_of, hard_bin, soft_bin


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
    assert soft_bin(votes) == soft
    assert hard_bin(votes) == hard
