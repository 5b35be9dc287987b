"""The lines of a face's 478 points on black, as ControlNetMediaPipeFace draws them.

EFHQ trains ControlNet on them (`1_attributes_extraction/mediapipeface.py`): oval of the face, eyes, brows and lips as
lines, pupils as squares, no nose.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

PUPILS = (468, 473)  # the first of the five points of each iris, the subject's right one first

_OVAL = (
    *(
        10,
        338,
        297,
        332,
        284,
        251,
        389,
        356,
        454,
        323,
        361,
        288,
        397,
        365,
        379,
        378,
        400,
        377,
        152,
        148,
        176,
        149,
    ),
    *(150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109, 10),
)
_OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185, 61)
_INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191, 78)
_RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246, 33)
_LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466, 263)
_RIGHT_BROW = ((46, 53, 52, 65, 55), (70, 63, 105, 66, 107))
_LEFT_BROW = ((276, 283, 282, 295, 285), (300, 293, 334, 296, 336))

# Lines and their colours, RGB (the annotator says them as blue, green, red). Sides are the subject's.
_RIGHT = {"eye": (180, 200, 10), "brow": (180, 220, 10), "pupil": (250, 200, 10)}
_LEFT = {"eye": (10, 200, 180), "brow": (10, 220, 180), "pupil": (10, 200, 250)}
_OVAL_COLOUR, _LIPS_COLOUR = (10, 200, 10), (10, 180, 10)
SIDE, LINE, PUPIL = 512, 2, 4  # pixels: of the picture for which lines are LINE wide and pupils PUPIL


def draw_mesh(points: NDArray, size: int, mirrored: bool = False) -> NDArray[np.uint8]:
    """The lines of points [478, 2] on black, RGB uint8 [size, size, 3]; mirrored: those of the mirror image."""
    drawn = points if not mirrored else np.column_stack([size - points[:, 0], points[:, 1]])
    right, left = (_LEFT, _RIGHT) if mirrored else (_RIGHT, _LEFT)
    image = np.zeros((size, size, 3), np.uint8)
    width = max(1, round(LINE * size / SIDE))

    def lines(path: Sequence[int], colour: tuple[int, int, int]) -> None:
        ends = np.floor(drawn[list(path)]).astype(int).tolist()  # mediapipe's own rounding
        for one, other in pairwise(ends):
            cv2.line(image, one, other, colour, width)

    lines(_OVAL, _OVAL_COLOUR)
    for colours, eye, brows in ((left, _LEFT_EYE, _LEFT_BROW), (right, _RIGHT_EYE, _RIGHT_BROW)):
        lines(eye, colours["eye"])
        for brow in brows:
            lines(brow, colours["brow"])
    for lips in (_OUTER_LIPS, _INNER_LIPS):
        lines(lips, _LIPS_COLOUR)
    half = max(1, round(PUPIL * size / SIDE / 2))
    for number, colours in zip(PUPILS, (right, left), strict=True):
        x, y = np.floor(drawn[number]).astype(int).tolist()
        if 0 <= x < size and 0 <= y < size:
            image[max(y - half, 0) : y + half, max(x - half, 0) : x + half] = colours["pupil"]
    return image
