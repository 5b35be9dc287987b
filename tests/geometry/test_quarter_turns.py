"""Quarter turns of points, boxes and rotations against numpy's of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from lpff_ray.geometry.quarter_turns import turned_boxes, turned_points, turned_rotations
from lpff_ray.geometry.rotation import direction_from_matrix, matrix_from_direction, upright_angle

TURNS = np.arange(4)
SIZE = np.array([[7.0, 4.0]])


@pytest.mark.parametrize("turn", TURNS)
def test_a_point_stays_on_its_pixel(turn: int) -> None:
    picture = np.arange(28).reshape(4, 7)
    for y, x in np.ndindex(4, 7):
        ((tx, ty),) = turned_points(np.array([[[x + 0.5, y + 0.5]]]), np.array([turn]), SIZE)[0]
        assert np.rot90(picture, turn)[int(ty), int(tx)] == picture[y, x]


@pytest.mark.parametrize("turn", TURNS)
def test_turning_on_to_four_is_no_turn(turn: int) -> None:
    boxes = np.array([[1.0, 0.5, 3.0, 3.5]])
    there = turned_boxes(boxes, np.array([turn]), SIZE)
    assert (there[:, :2] < there[:, 2:]).all()
    size = SIZE[:, :: -1 if turn % 2 else 1]
    assert turned_boxes(there, np.array([4 - turn]), size) == pytest.approx(boxes)


def test_a_head_leans_with_its_picture() -> None:
    level = np.repeat(matrix_from_direction(np.array(0.0), np.array(0.0), np.array(10.0))[None], 4, 0)
    turned = turned_rotations(level, TURNS)
    assert np.degrees(upright_angle(turned)) == pytest.approx([10, -80, -170, 100])
    looks_left = matrix_from_direction(np.array([40.0]), np.array([0.0]), np.array([0.0]))
    azimuth, elevation, _ = direction_from_matrix(turned_rotations(looks_left, np.array([1])))[0]
    assert (azimuth, elevation) == pytest.approx((0, -40))  # image-left has become down
