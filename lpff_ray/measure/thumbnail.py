"""Small pictures of faces with what is around them, for people to look at: contact sheets, reports, reviews."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lpff_ray.measure.detection.pictures import reduced

SIDE = 128
"""Side of a thumbnail, pixels."""
CONTEXT = 1.6
"""Side of what a thumbnail shows, over the longer side of the face's box."""
QUALITY = 85
"""Of the JPEG: some 4 kB. OpenCV encodes it faster than Pillow. Evidence: docs/evidence/speed.md#thumbnails"""


@dataclass(frozen=True)
class Thumbnail:
    """The picture of one face.

    jpeg: SIDE x SIDE pixels, upright as the frame is; black where it reaches outside the frame. region: x0, y0, x1, y1,
    the square that it shows, in pixels of the frame.
    """

    jpeg: bytes
    region: tuple[float, float, float, float]


def thumbnail(frame: NDArray[np.uint8], box: NDArray[np.floating]) -> Thumbnail:
    """The thumbnail of the face in `box`, x0, y0, x1, y1 in pixels of `frame`, uint8 RGB [h, w, 3]."""
    x0, y0, x1, y1 = (float(value) for value in box)
    side = max(1, math.ceil(CONTEXT * max(x1 - x0, y1 - y0)))
    left, top = round((x0 + x1 - side) / 2), round((y0 + y1 - side) / 2)
    height, width = frame.shape[:2]
    shown = frame[max(top, 0) : min(top + side, height), max(left, 0) : min(left + side, width)]
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    if shown.size:
        scale = SIDE / side
        small = reduced(shown, shown, scale)
        y, x = (min(round(max(-edge, 0) * scale), SIDE - 1) for edge in (top, left))
        small = small[: SIDE - y, : SIDE - x]
        picture[y : y + small.shape[0], x : x + small.shape[1]] = small
    encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )[1]
    return Thumbnail(encoded.tobytes(), (float(left), float(top), float(left + side), float(top + side)))
