"""EFHQ's proposal of a sign."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from handmade import face, handmade_run

from lpff_ray.reports.review.catalogue import read_catalogue
from lpff_ray.reports.review.suggest import suggestions


def voted(name: str, track: str, bin: str, *votes: tuple[float, float]) -> dict[str, Any]:
    given = [
        {"estimator": str(i), "yaw": yaw, "pitch": pitch, "roll": 0.0} for i, (yaw, pitch) in enumerate(votes)
    ]
    return face(name, "p", track_id=track, pose_bin=bin, pose_votes=given)


def test_the_sign_of_most_votes_of_a_track(tmp_path: Path) -> None:
    rows = [
        voted("a", "t1", "profile_horizontal", (50, 0), (-50, 0), (80, 70)),
        voted("b", "t1", "profile_horizontal", (-50, 0), (50, 0), (60, 0)),
        voted("c", "t1", "profile_vertical", (0, -40), (0, -40), (0, 50)),
        voted("d", "t2", "profile_horizontal", (-60, 0), (70, 0)),  # a tie
        voted("e", "t2", "profile_left", (60, 0), (70, 0)),
        voted("f", "t3", "profile_horizontal", (-60, 0), (-70, 0), (70, 0)),
    ]
    catalogue = read_catalogue(handmade_run(tmp_path, rows))
    bins = catalogue.columns["bin"].copy()
    found, tied = suggestions(catalogue, np.arange(6, dtype=np.uint32), bins)
    assert [(one.rows, one.suggested, one.votes, one.of) for one in found] == [
        ([0, 1], "profile_left", 4, 6),
        ([2], "profile_down", 2, 3),
        ([5], "profile_right", 2, 3),
    ]
    assert tied == 1
    bins[0] = bins[4]  # moved by a person
    assert [one.rows for one in suggestions(catalogue, np.arange(3, dtype=np.uint32), bins)[0]] == [[1], [2]]
    assert suggestions(catalogue, np.zeros(0, np.uint32), bins) == ([], 0)
