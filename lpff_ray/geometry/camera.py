"""6DoF head pose in the camera's frame, from a head's rotation and size in the picture (weak perspective)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation


def to_camera(
    rotation: NDArray, scale: NDArray, centre: NDArray, width: int, height: int, focal: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotation vectors [n, 3] (radians) and translations [n, 3] (cm), head to camera, under a pinhole camera.

    rotation: [n, 3, 3], head to camera as the head looks in its own surroundings. scale: [n], pixels per cm. centre:
    [n, 2], the head frame's origin in frame pixels. width, height: of the frame, pixels. focal: focal length, pixels;
    the principal point is the middle of the frame.

    A head away from the optical axis is seen along a slanted ray. The rotation there is the given one, turned by the
    smallest rotation that takes the optical axis onto that ray.
    """
    ray = np.column_stack([(centre - [width / 2, height / 2]) / focal, np.ones(len(centre))])
    length = np.linalg.norm(ray, axis=1)
    translation = ray * (focal / (scale * length))[:, None]  # as far away as the scale says
    axis = np.cross([0.0, 0.0, 1.0], ray)
    norm = np.linalg.norm(axis, axis=1)
    angle = np.arctan2(norm, ray[:, 2])
    turn = Rotation.from_rotvec(axis / np.maximum(norm, 1e-12)[:, None] * angle[:, None]).as_matrix()
    return Rotation.from_matrix(turn @ rotation).as_rotvec(), translation
