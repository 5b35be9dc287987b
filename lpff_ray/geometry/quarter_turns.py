"""Pictures turned by quarters in their plane, and what that does to points, boxes and head rotations in them.

`turns` counts quarter turns anticlockwise, as `numpy.rot90` does; sizes are width and height of the picture before it
is turned; points are x, y in pixels from its corner.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_PLANES = np.array([np.linalg.matrix_power([[0.0, -1.0], [1.0, 0.0]], turn) for turn in range(4)])
"""What row vectors (x, y) are multiplied by for 0 to 3 turns: one turn takes (x, y) to (y, -x)."""


def turned_points(points: NDArray, turns: NDArray, sizes: NDArray) -> NDArray[np.float64]:
    """Points [n, k, 2] of pictures of `sizes` [n, 2], in the pictures turned by `turns` [n]."""
    result = np.array(points, np.float64)
    turns, sizes = np.asarray(turns) % 4, np.broadcast_to(np.asarray(sizes, np.float64), (len(result), 2))
    of = turns > 0  # the others stay as they are, to the last bit
    turned_sizes = np.where(turns[of, None] % 2, sizes[of][:, ::-1], sizes[of])
    result[of] = (result[of] - sizes[of, None] / 2) @ _PLANES[turns[of]] + turned_sizes[:, None] / 2
    return result


def turned_boxes(boxes: NDArray, turns: NDArray, sizes: NDArray) -> NDArray[np.float64]:
    """Boxes [n, 4] (x0, y0, x1, y1) of pictures of `sizes` [n, 2], in the pictures turned by `turns` [n]."""
    corners = turned_points(np.asarray(boxes).reshape(-1, 2, 2), turns, sizes)
    return np.concatenate([corners.min(1), corners.max(1)], 1)


def turned_rotations(rotations: NDArray, turns: NDArray) -> NDArray[np.float64]:
    """Head rotations [n, 3, 3] (`geometry.rotation`) seen in pictures, in the pictures turned by `turns` [n]."""
    about_z = np.tile(np.eye(3), (len(rotations), 1, 1))
    about_z[:, :2, :2] = _PLANES[np.asarray(turns) % 4].swapaxes(1, 2)
    return about_z @ rotations
