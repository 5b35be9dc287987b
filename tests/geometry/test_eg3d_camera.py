"""EG3D's camera numbers: their signs, the published ones, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpff_ray.geometry.eg3d_camera import (
    FACE_CENTRE_HEAD,
    camera_label,
    mirrored,
    project,
    rotation_of_label,
    world_points,
)
from lpff_ray.geometry.rotation import angles_from_matrix, geodesic_degrees, matrix_from_angles

# FFHQ's first (EG3D's dataset.json), and the examples of LPFF's and Unsplash-Pexels' camera_parameters.json.
PUBLISHED = np.array(
    [
        (
            *(0.9422834, 0.0342896, 0.3330560, -0.8368000, 0.0398485, -0.9991571, -0.0098719, 0.0170184),
            *(0.3324367, 0.0225739, -0.9428554, 2.5669975, 0.0, 0.0, 0.0, 1.0),
        ),
        (
            *(0.8436031, -0.0564355, 0.5339932, -1.3756789, 0.1792474, -0.9078210, -0.3791191, 0.9812978),
            *(0.5061661, 0.4155430, -0.7557247, 2.1058400, 0.0, 0.0, 0.0, 1.0),
        ),
        (
            *(0.7822179, -0.2441335, 0.5731789, -1.4835725, -0.1928203, -0.9697183, -0.1498892, 0.3528101),
            *(0.5924150, 0.0067255, -0.8056049, 2.2281244, 0.0, 0.0, 0.0, 1.0),
        ),
    ]
)


def label(yaw: float, pitch: float, roll: float) -> np.ndarray:
    return camera_label(matrix_from_angles(*np.array([yaw, pitch, roll])))


def test_a_frontal_head_is_seen_from_in_front() -> None:
    numbers = label(0, 0, 0)
    pose = numbers[:16].reshape(4, 4)
    assert pose[:3, :3] == pytest.approx(np.diag([1.0, -1.0, -1.0]))
    assert pose[:3, 3] == pytest.approx([0, 0.006, 2.7], abs=1e-4)
    assert pose[3].tolist() == [0, 0, 0, 1]
    assert numbers[16:].tolist() == [4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1]


def test_signs() -> None:
    assert label(40, 0, 0)[3] > 1.5, "a face turned to image-left shows its left side: the camera is at +x"
    assert label(0, 30, 0)[7] < -1.0, "a face looking up is seen from below"
    x_axis = label(0, 0, 30)[[0, 4, 8]]
    assert x_axis == pytest.approx([np.cos(np.pi / 6), 0.5, 0]), "rolled clockwise, its upper end lies right"


def test_published_labels_follow_from_their_rotations() -> None:
    ours = camera_label(rotation_of_label(PUBLISHED)).reshape(3, 25)
    assert ours[:, :12].reshape(3, 3, 4)[..., :3] == pytest.approx(
        PUBLISHED[:, :12].reshape(3, 3, 4)[..., :3], abs=1e-6
    )
    off = np.linalg.norm((ours[:, :16] - PUBLISHED)[:, [3, 7, 11]], axis=1)
    assert off.max() < 0.05, "Deep3DFaceRecon's own estimate of the place moves them by as much"
    angles = angles_from_matrix(rotation_of_label(PUBLISHED))
    assert angles == pytest.approx(
        np.array([[-19.4, -1.4, 2.4], [-30.4, -28.8, 12], [-36.3, -0.5, -13.8]]), abs=0.1
    )


ANGLES = st.tuples(st.floats(-100, 100), st.floats(-60, 60), st.floats(-60, 60))


@given(ANGLES)
def test_labels_round_trip_and_stay_on_the_sphere(angles: tuple[float, float, float]) -> None:
    rotation = matrix_from_angles(*np.array(angles))
    numbers = camera_label(rotation)
    assert geodesic_degrees(rotation_of_label(numbers), rotation) < 1e-5
    assert np.linalg.norm(numbers[[3, 7, 11]]) == pytest.approx(2.7)
    centre = project(numbers, world_points(FACE_CENTRE_HEAD)[None])
    assert centre == pytest.approx(np.array([[0.5, 0.5]]), abs=1e-9), "the camera looks at the face's centre"


@given(ANGLES)
def test_the_mirror_image_is_a_head_turned_the_other_way(angles: tuple[float, float, float]) -> None:
    yaw, pitch, roll = angles
    there = mirrored(label(yaw, pitch, roll))
    assert there == pytest.approx(label(-yaw, pitch, -roll), abs=1e-12)
    assert mirrored(there) == pytest.approx(label(yaw, pitch, roll))
    points = np.array([[3.0, -2.0, -5.0], [-2.6, 4.7, -6.0]])
    seen = project(label(yaw, pitch, roll), world_points(points))
    flipped = project(there, world_points(points * [-1, 1, 1]))
    assert flipped == pytest.approx(np.column_stack([1 - seen[:, 0], seen[:, 1]]))


def test_many_at_once_equal_one_by_one() -> None:
    rotations = matrix_from_angles(*np.random.default_rng(0).uniform(-50, 50, (3, 7)))
    together = camera_label(rotations)
    assert together.shape == (7, 25)
    assert together == pytest.approx(np.stack([camera_label(rotation) for rotation in rotations]))
    assert mirrored(together) == pytest.approx(np.stack([mirrored(numbers) for numbers in together]))
