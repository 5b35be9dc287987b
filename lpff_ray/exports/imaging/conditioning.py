"""A face's 68 points drawn as ControlNet's face annotators draw them: coloured lines on black."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 512  # at which the lines are LINE pixels wide; mediapipe's annotator draws 2 of 512
LINE = 2.0
FRACTION_BITS = 4  # OpenCV takes coordinates in sixteenths of a pixel


@dataclass(frozen=True)
class Region:
    """A line through points of the 68-point scheme. colour: RGB. closed: back to its first point."""

    points: tuple[int, ...]
    colour: tuple[int, int, int]
    closed: bool = False


# Colours as in the images of ControlNetMediaPipeFace's annotator, which EFHQ trains with
# (`1_attributes_extraction/mediapipeface.py`; written there as blue, green, red). It draws no nose, and FaceMesh's oval
# of the face where the 68 points have the jaw.
REGIONS = (
    Region(tuple(range(0, 17)), (10, 200, 10)),  # jaw
    Region(tuple(range(27, 31)), (200, 200, 200)),  # bridge of the nose
    Region(tuple(range(31, 36)), (200, 200, 200)),  # nostrils
    Region(tuple(range(17, 22)), (180, 220, 10)),  # the subject's right brow
    Region(tuple(range(22, 27)), (10, 220, 180)),
    Region(tuple(range(36, 42)), (180, 200, 10), True),  # the subject's right eye
    Region(tuple(range(42, 48)), (10, 200, 180), True),
    Region(tuple(range(48, 60)), (10, 180, 10), True),  # outer lips
    Region(tuple(range(60, 68)), (10, 180, 10), True),
)


def draw_points(points: NDArray, size: int) -> NDArray[np.uint8]:
    """An image of points [68, 3], RGB uint8 [size, size, 3]; x, y in its pixels, z on the same scale, smaller nearer.

    Lines are anti-aliased and as wide for the image as ControlNet's are at 512. What is further away is drawn first.
    """
    image = np.zeros((size, size, 3), np.uint8)
    width = max(1, round(LINE * size / SIDE))
    lines = []
    for region in REGIONS:
        ring = [*region.points, region.points[0]] if region.closed else list(region.points)
        lines += [(points[[a, b]], region.colour) for a, b in pairwise(ring)]
    for ends, colour in sorted(lines, key=lambda line: -line[0][:, 2].sum()):
        # Pixel centres are at whole numbers for OpenCV, at + 0.5 for us.
        first, second = (tuple(map(int, np.round((end[:2] - 0.5) * 2**FRACTION_BITS))) for end in ends)
        cv2.line(image, first, second, colour, width, cv2.LINE_AA, FRACTION_BITS)
    return image
