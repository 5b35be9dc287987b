"""What is drawn on a face lies where the table says."""

from __future__ import annotations

import numpy as np
import pytest

from lpff_ray.exports.imaging.drawing import AXES, BOX, POINTS, draw_face

ROW = {
    "bbox": [100.0, 100.0, 200.0, 200.0],
    "keypoints": [[130.0, 130.0], [170.0, 130.0], [150.0, 150.0], [135.0, 175.0], [165.0, 175.0]],
    "yaw": 0.0,
    "pitch": 0.0,
    "roll": 0.0,
}
REGION = (50.0, 70.0, 250.0, 270.0)


def drawn(**angles: float) -> np.ndarray:
    picture = np.zeros((400, 400, 3), np.uint8)  # two pixels for one of the frame
    draw_face(picture, REGION, {**ROW, **angles})
    return picture


def extent(picture: np.ndarray, colour: tuple[int, int, int]) -> tuple[float, float, float, float]:
    """Least and largest x, least and largest y of a colour, in pixels of the frame."""
    y, x = np.nonzero((np.abs(picture.astype(int) - colour) < 40).all(-1))
    x, y = (x + 0.5) / 2 + REGION[0], (y + 0.5) / 2 + REGION[1]
    return float(x.min()), float(x.max()), float(y.min()), float(y.max())


def test_box_and_points_are_in_their_places() -> None:
    picture = drawn(yaw=60.0, pitch=-20.0)
    assert extent(picture, BOX)[:2] == pytest.approx((100, 200), abs=2)
    assert extent(picture, POINTS) == pytest.approx((130, 170, 130, 175), abs=3)


@pytest.mark.parametrize(
    ("angles", "nose_x", "nose_y"),
    [({"yaw": 60.0}, -1, 0), ({"yaw": -60.0}, 1, 0), ({"pitch": 40.0}, 0, -1), ({"pitch": -40.0}, 0, 1)],
)
def test_the_blue_axis_points_where_the_nose_does(angles: dict[str, float], nose_x: int, nose_y: int) -> None:
    x0, x1, y0, y1 = extent(drawn(**angles), AXES[2])
    assert np.sign(round((x0 + x1) / 2 - 150, -1)) == nose_x
    assert np.sign(round((y0 + y1) / 2 - 150, -1)) == nose_y


def test_the_red_axis_points_to_the_subjects_left_and_down_when_the_head_leans() -> None:
    x0, x1, y0, y1 = extent(drawn(), AXES[0])
    assert (x0, x1) == pytest.approx((150, 200), abs=3)
    assert (y0 + y1) / 2 == pytest.approx(150, abs=2)
    assert extent(drawn(roll=30.0), AXES[0])[3] == pytest.approx(150 + 25, abs=3), "clockwise"
