"""Angles of 300W-LP, and their continuity."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lpff_ray.geometry.rotation import (
    angles_from_matrix,
    blend,
    direction_from_matrix,
    geodesic_degrees,
    matrix_from_angles,
    matrix_from_direction,
    upright_angle,
)


def test_angles_round_trip_past_profile() -> None:
    random = np.random.default_rng(0)
    angles = random.uniform([-120, -80, -100], [120, 80, 100], (500, 3))
    angles = angles[np.abs(np.abs(angles[:, 0]) - 90) > 1]
    again = angles_from_matrix(matrix_from_angles(*angles.T))
    assert again == pytest.approx(angles, abs=1e-6)


def test_signs_in_the_camera_frame() -> None:
    nose = np.array([0.0, 0.0, -1.0])  # towards the camera for a frontal head
    left = matrix_from_angles(np.array(40.0), np.array(0.0), np.array(0.0)) @ nose
    up = matrix_from_angles(np.array(0.0), np.array(40.0), np.array(0.0)) @ nose
    crown = matrix_from_angles(np.array(0.0), np.array(0.0), np.array(40.0)) @ np.array([0.0, -1.0, 0.0])
    assert left[0] < 0, "yaw > 0 turns the face to image-left"
    assert up[1] < 0, "pitch > 0 looks up"
    assert crown[0] > 0, "roll > 0 tilts the head clockwise"


def test_a_level_head_turning_through_profile_reads_continuously() -> None:
    yaw = np.linspace(60, 120, 61) + 0.25
    angles = angles_from_matrix(matrix_from_angles(yaw, np.full_like(yaw, 5.0), np.full_like(yaw, -3.0)))
    assert np.abs(np.diff(angles, axis=0)).max() < 1.5


def test_geodesic_and_blend_agree_with_scipy() -> None:
    a, b = (Rotation.random(20, random_state=seed).as_matrix() for seed in (1, 2))
    expected = np.degrees((Rotation.from_matrix(a).inv() * Rotation.from_matrix(b)).magnitude())
    assert geodesic_degrees(a, b) == pytest.approx(expected, abs=1e-4)
    quarter = blend(a, b, np.full(20, 0.25))
    assert geodesic_degrees(a, quarter) == pytest.approx(expected / 4, abs=1e-4)


def test_direction_round_trips_and_agrees_with_angles_of_frontal_heads() -> None:
    direction = np.random.default_rng(0).uniform([-170, -85, -170], [170, 85, 170], (500, 3))
    assert direction_from_matrix(matrix_from_direction(*direction.T)) == pytest.approx(direction, abs=1e-6)
    angles = np.array([[30.0, 0.0, 0.0], [0.0, 25.0, 0.0], [0.0, 0.0, -40.0], [-80.0, 0.0, 10.0]])
    assert direction_from_matrix(matrix_from_angles(*angles.T))[:3] == pytest.approx(angles[:3])
    nose = matrix_from_angles(*angles.T) @ [0.0, 0.0, -1.0]
    azimuth, elevation, _ = np.radians(direction_from_matrix(matrix_from_angles(*angles.T))).T
    assert nose[:, 0] == pytest.approx(-np.sin(azimuth) * np.cos(elevation))
    assert nose[:, 1] == pytest.approx(-np.sin(elevation))


def test_direction_does_not_lock_where_angles_do() -> None:
    """A profile that turns by one degree: its pitch and roll change by tens of degrees, its direction does not."""
    azimuth = np.linspace(85, 95, 11)
    direction = np.stack([azimuth, np.full(11, -9.0), np.full(11, 4.0)], 1)
    rotation = matrix_from_direction(*direction.T)
    assert np.abs(np.diff(angles_from_matrix(rotation)[:, 1])).max() > 5
    assert direction_from_matrix(rotation) == pytest.approx(direction)


def test_the_upright_angle_is_the_heads_turn_in_the_picture() -> None:
    roll = np.array([-60.0, 0.0, 35.0])
    turned = matrix_from_angles(np.zeros(3), np.zeros(3), roll)
    assert np.degrees(upright_angle(turned)) == pytest.approx(roll)
    right = turned @ [1.0, 0.0, 0.0]  # the direction that a crop with this angle makes its x axis
    assert np.arctan2(right[:, 1], right[:, 0]) == pytest.approx(upright_angle(turned))
