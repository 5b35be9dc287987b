"""Rows of CenterFace's detections: one per face, or per cell of the outputs before the best is taken of each face.

A row is a box (x0, y0, x1, y1), five points (eyes, nose tip, mouth corners; the subject's right first), all in pixels,
and the score: 15 numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.transforms import iou, share_inside

STRIDE = 4  # input pixels per cell of the outputs
SAME_FACE_IOU = 0.3  # above this IoU two detections are one face (CenterFace's own value)
PART_OF_FACE = (
    0.8  # a box with more of its area than this inside one with a better score is a part of that face
)
# Cells with this share of the best one's score, and this IoU with its box, are averaged: it steadies boxes by 40%.
# Evidence: docs/evidence/detection.md#steady-boxes
AVERAGED = (0.3, 0.5)


def decode(
    heat: NDArray, size: NDArray, offset: NDArray, points: NDArray, threshold: float
) -> NDArray[np.float64]:
    """Raw outputs of one picture, [1, h, w], [2, h, w], [2, h, w] and [10, h, w] -> rows [k, 15] from `threshold` on.

    Pixels are those of the network's input.
    """
    y, x = np.nonzero(heat[0] >= threshold)
    rows = np.empty((len(y), 15))
    height, width = np.exp(size[:, y, x].astype(np.float64)) * STRIDE
    centre_y, centre_x = (np.stack([y, x]) + offset[:, y, x] + 0.5) * STRIDE
    left, top = centre_x - width / 2, centre_y - height / 2
    rows[:, :4] = np.stack([left, top, left + width, top + height], 1)
    shares = points[:, y, x].reshape(5, 2, -1)  # of the box, y first
    rows[:, 4:14:2] = (shares[:, 1] * width + left).T
    rows[:, 5:14:2] = (shares[:, 0] * height + top).T
    rows[:, 14] = heat[0, y, x]
    return rows


def non_maximum_suppression(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best row of each face out of rows [k, 15 and more], best first."""
    width = rows.shape[1]
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    kept: list[NDArray] = []
    while len(rows):
        best, rows = rows[0], rows[1:]
        kept.append(best)
        rows = rows[(iou(best, rows) <= SAME_FACE_IOU) & (share_inside(rows, best) <= PART_OF_FACE)]
    return np.array(kept).reshape(-1, width)


def mean_row(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best row [15] of rows [k, 15] with the mean box and points, weighted by score, of those like it."""
    best = rows[np.argmax(rows[:, 14])]
    alike = rows[(rows[:, 14] >= AVERAGED[0] * best[14]) & (iou(best, rows) > AVERAGED[1])]
    return np.append(np.average(alike[:, :14], axis=0, weights=alike[:, 14]), best[14])


def is_upright(rows: NDArray[np.float64], turns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether faces [k, 15], in pictures turned by `turns` [k], have the mouth below the eyes, within 45 degrees."""
    points = rows[:, 4:14].reshape(-1, 5, 2)
    x, y = (points[:, 3:].mean(1) - points[:, :2].mean(1)).T
    angle = np.arctan2(-x, y) - turns * np.pi / 2
    return np.asarray(np.cos(angle) >= np.cos(np.pi / 4))
