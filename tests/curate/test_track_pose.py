"""Poses smoothed over tracks: one wrong frame does not count, a turn stays, tracks and photos keep to themselves."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lpff_ray.curate.track_pose import bins_of, smoothed_rotations
from lpff_ray.geometry.rotation import direction_from_matrix, geodesic_degrees, matrix_from_direction

FRAME = 40_000_000  # nanoseconds


def turning(azimuth: np.ndarray) -> np.ndarray:
    return matrix_from_direction(azimuth, np.full_like(azimuth, 5.0), np.zeros_like(azimuth))


def test_a_wrong_frame_is_outvoted_by_its_neighbours_and_a_turn_is_kept() -> None:
    azimuth = np.linspace(20.0, 70.0, 26)
    seen = turning(azimuth)
    seen[12] = turning(np.array([-30.0]))[0]
    smooth = smoothed_rotations(seen, np.zeros(26, np.int64), np.arange(26) * FRAME)
    assert geodesic_degrees(smooth, turning(azimuth)).max() < 4


def test_a_flickering_bin_is_still() -> None:
    azimuth = 45 + np.random.default_rng(0).normal(0, 2.5, 40)
    azimuth[:20] -= 3
    azimuth[20:] += 3
    bins = bins_of(turning(azimuth))
    smooth = bins_of(smoothed_rotations(turning(azimuth), np.zeros(40, np.int64), np.arange(40) * FRAME))
    changes = [sum(a != b for a, b in pairwise(names)) for names in (bins, smooth)]
    assert changes[0] > changes[1] == 1


def test_tracks_times_and_faces_alone_keep_to_themselves() -> None:
    seen = turning(np.array([0.0, 80.0, 2.0, 78.0, 40.0, -40.0]))
    track, time = np.array([0, 1, 0, 1, 2, 2]), np.array([0, 0, 1, 1, 0, 100]) * FRAME
    smooth = smoothed_rotations(seen, track, time)
    azimuth = direction_from_matrix(smooth)[:, 0]
    assert azimuth == pytest.approx([1, 79, 1, 79, 40, -40], abs=1.1)
    assert np.array_equal(smooth[4:], seen[4:]), "half a second away is no neighbour"
    shuffled = np.random.default_rng(1).permutation(6)
    assert np.array_equal(
        smoothed_rotations(seen[shuffled], track[shuffled], time[shuffled]), smooth[shuffled]
    )
    assert smoothed_rotations(seen[:0], track[:0], time[:0]).shape == (0, 3, 3)
