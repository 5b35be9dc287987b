"""The steady square that a clip of a face is cropped to, and the images in it."""

from __future__ import annotations

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

# The forehead's height in units of that from brows to chin, so that boxes are as WIDER FACE's, which crop_vox.py's
# detector gives. Evidence: docs/evidence/exports.md#face-boxes
FOREHEAD = 1 / 3
CHIN, BROWS = 8, slice(17, 27)  # of the 68 points


def face_boxes(landmarks: NDArray) -> NDArray[np.float64]:
    """Boxes float64 [n, 4] (x0, y0, x1, y1) of whole faces, forehead to chin.

    landmarks: [n, 68, 3], in pixels; the third column is not read.
    """
    points = np.asarray(landmarks, np.float64)[..., :2]
    brows = points[:, BROWS]
    up = brows.mean(1) - points[:, CHIN]
    points = np.concatenate([points, brows + FOREHEAD * up[:, None]], axis=1)
    return np.concatenate([points.min(1), points.max(1)], axis=1)


def union_of(faces: pl.DataFrame) -> NDArray[np.float64]:
    """The box [4] (x0, y0, x1, y1) around the boxes `box` of all faces."""
    boxes = faces["box"].to_numpy()
    return np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)]).astype(np.float64)


def longer_side(box: NDArray) -> float:
    """Of a box [4]."""
    return float((box[2:] - box[:2]).max())


def steady_square(
    union: NDArray, increase: float, height: int, width: int, moved: bool = True
) -> tuple[int, int, int]:
    """(left, top, side) in whole frame pixels: the square around the union [4] (x0, y0, x1, y1) of a face's boxes.

    Its side is (1 + 2 * increase) times the union's longer side and its centre the union's
    (`compute_aspect_preserved_bbox`). Where it would leave the frame it is moved inside, as far as it fits (crop_vox.py
    leaves such clips out or squeezes them); moved=False leaves it where it is.
    """
    x0, y0, x1, y1 = (float(value) for value in union)
    side = max(round((1 + 2 * increase) * max(x1 - x0, y1 - y0)), 1)

    def placed(centre: float, room: int) -> int:
        start = round(centre - side / 2)
        if not moved:
            return start
        return min(max(start, 0), room - side) if side <= room else (room - side) // 2

    return placed((x0 + x1) / 2, width), placed((y0 + y1) / 2, height), side


def seen_of(square: tuple[int, int, int], height: int, width: int, cut: bool) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of a square (left, top, side); cut: of what of it is in the frame."""
    left, top, side = square
    if not cut:
        return left, top, left + side, top + side
    return max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)


def square_crop(frame: NDArray[np.uint8], square: tuple[int, int, int], size: int) -> NDArray[np.uint8]:
    """The image in the square (left, top, side), uint8 [size, size, 3] RGB; outside the frame it is mirrored."""
    left, top, side = square
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    image = frame[y0:y1, x0:x1]
    margins = (y0 - top, top + side - y1, x0 - left, left + side - x1)
    if any(margins):
        image = cv2.copyMakeBorder(image, *margins, cv2.BORDER_REFLECT_101)
    interpolation = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (size, size), interpolation=interpolation), np.uint8)


def squeezed_crop(
    frame: NDArray[np.uint8], region: tuple[int, int, int, int], size: int
) -> NDArray[np.uint8]:
    """What is in the region (left, top, right, bottom) of the frame, squeezed into uint8 [size, size, 3] RGB."""
    left, top, right, bottom = region
    smaller = max(right - left, bottom - top) > size
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(
        cv2.resize(frame[top:bottom, left:right], (size, size), interpolation=interpolation), np.uint8
    )
