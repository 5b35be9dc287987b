"""Pictures turned by quarters in their plane, and what that does to points, boxes and head rotations in them.

`turns` counts quarter turns anticlockwise, as `numpy.rot90` does; sizes are width and height of the picture before it
is turned; points are x, y in pixels from its corner.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def turned_points(points: NDArray, turns: NDArray, sizes: NDArray) -> NDArray[np.float64]:
    """Points [n, k, 2] of pictures of `sizes` [n, 2], in the pictures turned by `turns` [n]."""
    points = np.asarray(points, np.float64)
    sizes = np.broadcast_to(np.asarray(sizes, np.float64), (len(points), 2))
    result = points.copy()
    for turn in range(1, 4):
        of = np.asarray(turns) % 4 == turn
        if of.any():
            middle, turned_middle = sizes[of] / 2, sizes[of][:, :: -1 if turn % 2 else 1] / 2
            away = (points[of] - middle[:, None]) @ _plane(turn)
            result[of] = away + turned_middle[:, None]
    return result


def turned_boxes(boxes: NDArray, turns: NDArray, sizes: NDArray) -> NDArray[np.float64]:
    """Boxes [n, 4] (x0, y0, x1, y1) of pictures of `sizes` [n, 2], in the pictures turned by `turns` [n]."""
    corners = turned_points(np.asarray(boxes).reshape(-1, 2, 2), turns, sizes)
    return np.concatenate([corners.min(1), corners.max(1)], 1)


def turned_rotations(rotations: NDArray, turns: NDArray) -> NDArray[np.float64]:
    """Head rotations [n, 3, 3] (`geometry.rotation`) seen in pictures, in the pictures turned by `turns` [n]."""
    about_z = np.zeros((len(rotations), 3, 3))
    about_z[:, 2, 2] = 1.0
    for number, turn in enumerate(np.asarray(turns)):
        about_z[number, :2, :2] = _plane(int(turn)).T
    return about_z @ rotations


def _plane(turn: int) -> NDArray[np.float64]:
    """The matrix [2, 2] that row vectors (x, y) are multiplied by: one turn takes (x, y) to (y, -x)."""
    return np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), turn % 4)
