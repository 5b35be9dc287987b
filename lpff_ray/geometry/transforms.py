"""Similarity transforms between a frame and a crop of it, the warp that makes the crop, and IoU of boxes.

A transform is a float64 [2, 3] matrix that maps frame pixels (x, y) to crop pixels. Pixel centres are at integer
coordinates + 0.5: the frame spans [0, width] x [0, height].
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def crop_transform(centre: NDArray, side: float, angle: float, size: int) -> NDArray[np.float64]:
    """Transform of a square of `side` pixels around `centre`, turned by `angle`, onto a crop of `size` pixels.

    angle: radians, the direction in the frame (x right, y down) that becomes the crop's x axis.
    """
    scale = size / side
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    matrix = np.array([[cos, sin, 0.0], [-sin, cos, 0.0]])
    matrix[:, 2] = size / 2 - matrix[:, :2] @ np.asarray(centre, dtype=np.float64)
    return matrix


def similarity_from_points(source: NDArray, target: NDArray) -> NDArray[np.float64]:
    """Least-squares similarity (rotation, uniform scale, translation, no mirror) from [n, 2] points to [n, 2] points.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns" (1991),
    in its closed form for the plane.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source_mean, target_mean = source.mean(0), target.mean(0)
    s, t = source - source_mean, target - target_mean
    norm = max(float((s**2).sum()), 1e-12)
    a = float((s * t).sum()) / norm
    b = float((s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum()) / norm
    linear = np.array([[a, -b], [b, a]])
    return np.column_stack([linear, target_mean - linear @ source_mean])


def apply(matrix: NDArray, points: NDArray) -> NDArray[np.float64]:
    """Map [..., 2] points through a transform."""
    return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def invert(matrix: NDArray) -> NDArray[np.float64]:
    """The transform from crop pixels back to frame pixels."""
    (a, b, x), (c, d, y) = np.asarray(matrix, np.float64)
    det = a * d - b * c
    # Written out: numpy.linalg.inv takes many times as long for a matrix this small.
    return np.array([[d, -b, b * y - d * x], [-c, a, c * x - a * y]]) / det


def scale_of(matrix: NDArray) -> float:
    """Crop pixels per frame pixel of a similarity."""
    return float(np.sqrt(abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])))


def iou(box: NDArray, boxes: NDArray) -> NDArray[np.float64]:
    """Intersection over union (IoU) [n] of one box [4] with boxes [n, 4]; x0, y0, x1, y1."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:4], boxes[:, 2:4])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    return common / np.maximum(np.prod(box[2:4] - box[:2]) + areas - common, 1e-9)


def share_inside(boxes: NDArray, box: NDArray) -> NDArray[np.float64]:
    """Share of the area of each of boxes [n, 4] that is inside one box [4]; x0, y0, x1, y1."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:4], boxes[:, 2:4])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    return common / np.maximum(np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1), 1e-9)


def warp_crop(frame: NDArray[np.uint8], matrix: NDArray, size: int) -> NDArray[np.uint8]:
    """Warp `frame` [h, w, 3] by `matrix` (frame to crop) into a crop [size, size, 3]; outside the frame it is black.

    Where the crop shrinks the frame by two or more, the region is first averaged down by a whole number, so that
    the crop does not alias; averaging only the region keeps the cost independent of the frame's size.
    """
    shrink = max(int(1.0 / max(scale_of(matrix), 1e-6)), 1)
    corners = apply(invert(matrix), np.array([[0, 0], [size, 0], [0, size], [size, size]]))
    margin = max(shrink, 2)  # what interpolation reaches
    height, width = frame.shape[:2]
    x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int) - margin, 0)
    x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + margin, [width, height])
    cells_x, cells_y = (x1 - x0) // shrink, (y1 - y0) // shrink
    if cells_x < 1 or cells_y < 1:
        return np.zeros((size, size, 3), np.uint8)
    region = frame[y0 : y0 + cells_y * shrink, x0 : x0 + cells_x * shrink]
    if shrink > 1:
        region = cv2.resize(region, (int(cells_x), int(cells_y)), interpolation=cv2.INTER_AREA)
    to_frame = np.array([[shrink, 0.0, x0], [0.0, shrink, y0]])
    return cv2.warpAffine(
        region, _corner_to_centre(compose(matrix, to_frame)), (size, size), flags=cv2.INTER_LINEAR
    )


def compose(outer: NDArray, inner: NDArray) -> NDArray[np.float64]:
    """The transform that applies `inner`, then `outer`."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def _corner_to_centre(matrix: NDArray) -> NDArray[np.float64]:
    """OpenCV puts pixel centres at whole numbers; ours are at + 0.5."""
    shifted = matrix.astype(np.float64).copy()
    shifted[:, 2] += shifted[:, :2] @ [0.5, 0.5] - 0.5
    return shifted
