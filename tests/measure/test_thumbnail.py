"""Thumbnails show the face with what is around it, in the place that their region says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lpff_ray.measure.thumbnail import CONTEXT, SIDE, Thumbnail, thumbnail


def decoded(made: Thumbnail) -> NDArray[np.uint8]:
    bgr = cv2.imdecode(np.frombuffer(made.jpeg, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8)


def disc(width: int, height: int, x: float, y: float, radius: float) -> NDArray[np.uint8]:
    """A frame of middle grey with a red disc."""
    frame = np.full((height, width, 3), 128, np.uint8)
    cv2.circle(frame, (round(x), round(y)), round(radius), (255, 0, 0), -1)
    return frame


@pytest.mark.parametrize("side", [10, 60, 81, 200, 1000])
@pytest.mark.parametrize("place", [(0.5, 0.5), (0.0, 0.3), (1.0, 0.98)])
def test_the_region_says_where_the_face_is_in_the_picture(side: int, place: tuple[float, float]) -> None:
    x, y = round(1200 * place[0]), round(1100 * place[1])
    made = thumbnail(
        disc(1200, 1100, x, y, side / 2), np.array([x, y, x, y]) + np.array([-1, -1, 1, 1]) * side / 2
    )
    picture = decoded(made)
    assert picture.shape == (SIDE, SIDE, 3)
    x0, y0, x1, y1 = made.region
    assert x1 - x0 == y1 - y0 == pytest.approx(CONTEXT * side, abs=1)
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    frame_x, frame_y = x0 + columns * (x1 - x0) / SIDE, y0 + rows * (y1 - y0) / SIDE
    from_middle = np.hypot(frame_x - x, frame_y - y) / (side / 2)
    # a margin for rounding to whole pixels, and for JPEG
    margin = 0.1 + 3 / side
    inside = (frame_x > 3) & (frame_y > 3) & (frame_x < 1197) & (frame_y < 1097)
    red = picture[..., 0].astype(int) - picture[..., 2] > 128
    assert red[inside & (from_middle < 1 - margin)].all()
    assert not red[from_middle > 1 + margin].any()
    outside = (frame_x < -side * 0.1) | (frame_y < -side * 0.1) | (frame_x > 1200 + side * 0.1)
    assert picture[outside].max(initial=0) < 40


def test_a_box_outside_of_its_frame_is_black() -> None:
    assert decoded(thumbnail(np.full((50, 50, 3), 200, np.uint8), np.array([300, 300, 340, 350]))).max() < 10
