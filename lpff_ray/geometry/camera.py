"""A head's place in space under a pinhole camera, from how it looks in the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation


def to_camera(
    rotation: NDArray, scale: NDArray, centre: NDArray, width: int, height: int, focal: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotation vectors [n, 3] (radians) and translations [n, 3] (cm), head to camera.

    The camera is a pinhole of `focal` pixels with its principal point in the middle of the frame. A head away from
    the optical axis is seen along a slanted ray: the same appearance there means a rotation that is turned with the
    ray, by the smallest rotation that takes the optical axis onto it.
    """
    ray = np.column_stack([(centre - [width / 2, height / 2]) / focal, np.ones(len(centre))])
    length = np.linalg.norm(ray, axis=1)
    translation = (
        ray * (focal / (scale * length))[:, None]
    )  # the ray, as long as the scale says the head is away
    axis = np.cross([0.0, 0.0, 1.0], ray)
    norm = np.linalg.norm(axis, axis=1)
    angle = np.arctan2(norm, ray[:, 2])
    turn = Rotation.from_rotvec(axis / np.maximum(norm, 1e-12)[:, None] * angle[:, None]).as_matrix()
    return Rotation.from_matrix(turn @ rotation).as_rotvec(), translation
