"""Draws what the faces table says of a face on a picture of it: its box, its five points, its head's axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.rotation import matrix_from_angles

COLUMNS = ("bbox", "keypoints", "yaw", "pitch", "roll")
"""What is read of a row of the faces table."""
BOX, POINTS = (60, 220, 60), (255, 220, 0)
AXES = ((255, 60, 60), (60, 220, 60), (60, 120, 255))
AXIS_LENGTH = 0.5
"""Of the longer side of the box."""
SHIFT = 4  # bits of a pixel's fraction that OpenCV draws with


def draw_face(picture: NDArray[np.uint8], region: Sequence[float], row: Mapping[str, Any]) -> None:
    """Draw on a square picture, uint8 RGB [s, s, 3], in place.

    region: x0, y0, x1, y1, the square that it shows, in pixels of the frame. row: with COLUMNS.

    The axes begin at the tip of the nose: red points to the subject's left, green to the chin, blue to where the nose
    points, as figures of AFLW2000-3D have them (source: `draw_axis` of natanielruiz/deep-head-pose).
    """
    scale = picture.shape[0] / (region[2] - region[0])
    origin = np.array(region[:2], np.float64)
    width = max(1, round(picture.shape[0] / 128))

    def at(point: NDArray) -> tuple[int, int]:
        x, y = ((np.asarray(point, np.float64) - origin) * scale - 0.5) * (1 << SHIFT)
        return round(float(x)), round(float(y))

    box = np.asarray(row["bbox"], np.float64)
    cv2.rectangle(picture, at(box[:2]), at(box[2:]), BOX, width, cv2.LINE_AA, SHIFT)
    points = np.asarray(row["keypoints"], np.float64)
    for point in points:
        cv2.circle(picture, at(point), round(1.2 * width * (1 << SHIFT)), POINTS, -1, cv2.LINE_AA, SHIFT)
    rotation = matrix_from_angles(*(np.array(row[name], np.float64) for name in ("yaw", "pitch", "roll")))
    length = AXIS_LENGTH * max(box[2] - box[0], box[3] - box[1])
    ends = points[2] + length * (rotation[:2] * (1, 1, -1)).T  # z of the head frame leads into the head
    for end, colour in zip(ends, AXES, strict=True):
        cv2.line(picture, at(points[2]), at(end), colour, 2 * width, cv2.LINE_AA, SHIFT)
