"""Head pose from points: fits of the head model to FaceMesh's mesh and to detectors' keypoints, and their weights.

`fused` combines them with the learned pose of PoseNet. Rotations here are those of the face in its own surroundings
(weak perspective), as the labels of 300W-LP are; `geometry.camera.to_camera` turns them into the camera's frame. See
`geometry.rotation` for frames and angles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from lpff_ray.geometry.head_model import head_model
from lpff_ray.geometry.rotation import angles_from_matrix, matrix_from_angles
from lpff_ray.measure.pose.learned import LearnedPose

# Weight of FaceMesh's points against PoseNet's position: the presence logit at which it is a half, its softness, and
# the |yaw| of PoseNet, degrees, over which it falls to 0. Evidence: docs/evidence/pose.md#weight-of-facemeshs-points
PRESENCE_MIDDLE = 8.0
PRESENCE_SOFTNESS = 1.5
POINTS_FADE = (30.0, 55.0)

# Weight of FaceMesh's rotation in the fused one, against PoseNet's: the largest, the |yaw| of PoseNet, degrees, over
# which it falls to 0, the presence logit at which it is a half, and its softness.
# Evidence: docs/evidence/pose.md#weight-of-facemeshs-rotation
MESH_SHARE = 0.35
FADE_YAW = (25.0, 45.0)
SURE_PRESENCE, SURE_SOFTNESS = 12.0, 2.0

# Degrees to add to the size of FaceMesh's yaw, by that size (rows) and its presence logit (columns): it reads turned
# faces as too frontal. Made by training/fit_mesh_yaw.py. Evidence: docs/evidence/pose.md#correction-of-facemeshs-yaw
MESH_YAW = (0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 70.0)
MESH_PRESENCE = (-4.0, 0.0, 4.0, 8.0, 12.0, 16.0)
MESH_YAW_ADDED = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [11, 7, 1, 0, 0, 0],
        [19, 13, 7, 3, 1, 1],
        [33, 23, 14, 7, 3, 2],
        [34, 25, 12, 7, 5, 3],
        [23, 20, 15, 9, 8, 5],
        [19, 17, 16, 10, 8, 7],
    ],
    np.float64,
)


@dataclass(frozen=True)
class Fits:
    """Weak-perspective fits: rotation [n, 3, 3], scale [n] in pixels per cm, head centre [n, 2] in frame pixels."""

    rotation: NDArray[np.float64]
    scale: NDArray[np.float64]
    centre: NDArray[np.float64]


def fit_mesh(points: NDArray) -> Fits:
    """Rigid fit of the head model's mesh to FaceMesh's meshes [n, 468, 3] (Kabsch's algorithm, with scale).

    Accurate up to 30 degrees of yaw; at profile FaceMesh's points are those of a face that is too frontal.
    """
    model = head_model().mesh
    model_mean = model.mean(0)
    centred_model = model - model_mean
    mean = points.mean(1)
    u, singular, vt = np.linalg.svd(np.einsum("nki,kj->nij", points - mean[:, None], centred_model))
    sign = np.ones_like(singular)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None, :]) @ vt
    scale = (singular * sign).sum(1) / (centred_model**2).sum()
    centre = mean[:, :2] - scale[:, None] * (rotation @ model_mean)[:, :2]
    return Fits(rotation, scale, centre)


def corrected_mesh_rotation(rotation: NDArray, presence: NDArray) -> NDArray[np.float64]:
    """FaceMesh's rotations [n, 3, 3], their yaw corrected by MESH_YAW_ADDED; presence: FaceMesh's logits [n]."""
    yaw, pitch, roll = angles_from_matrix(rotation).T
    row = np.interp(np.abs(yaw), MESH_YAW, np.arange(len(MESH_YAW)))
    column = np.interp(presence, MESH_PRESENCE, np.arange(len(MESH_PRESENCE)))
    added = map_coordinates(MESH_YAW_ADDED, [row, column], order=1)
    return matrix_from_angles(yaw + np.sign(yaw) * added, pitch, roll)


def fit_keypoints(keypoints: NDArray, model: NDArray) -> Fits:
    """Scaled-orthographic fit of points of the head [k, 3] (head frame, cm) to keypoints [n, k, 2] in frame pixels.

    First a grid over yaw and pitch, each cell with its best roll, scale and translation in closed form; then
    Gauss-Newton from the best cell. So the fit finds the global optimum, and changes smoothly with the keypoints.
    """
    mean = keypoints.mean(1)
    observed = keypoints - mean[:, None]
    rotation, scale = _best_grid_cell(observed, model)
    for _ in range(6):
        posed = rotation @ (model - model.mean(0)).T  # [n, 3, 6]
        projected = scale[:, None, None] * posed
        residual = observed.transpose(0, 2, 1) - projected[:, :2]
        zero = np.zeros_like(posed[:, 0])
        x, y, z = projected[:, 0], projected[:, 1], projected[:, 2]
        jacobian = np.stack(  # d(x, y) / d(turn about x, y, z; log scale)
            [np.stack([zero, z, -y, x], -1), np.stack([-z, zero, x, y], -1)], 1
        ).reshape(len(keypoints), 2 * len(model), 4)
        normal = jacobian.transpose(0, 2, 1) @ jacobian
        normal += 1e-3 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(4)
        off = residual.reshape(len(keypoints), 2 * len(model), 1)
        step = np.linalg.solve(normal, jacobian.transpose(0, 2, 1) @ off)[..., 0]
        rotation = Rotation.from_rotvec(np.clip(step[:, :3], -0.3, 0.3)).as_matrix() @ rotation
        scale = scale * np.exp(np.clip(step[:, 3], -0.3, 0.3))
    centre = mean - scale[:, None] * (rotation @ model.mean(0))[:, :2]
    return Fits(rotation, scale, centre)


def _best_grid_cell(observed: NDArray, model: NDArray) -> tuple[NDArray, NDArray]:
    rotations = _grid()
    posed = (model - model.mean(0)) @ rotations.transpose(0, 2, 1)
    flat = posed[..., 0] + 1j * posed[..., 1]  # a plane similarity is one complex factor
    target = observed[..., 0] + 1j * observed[..., 1]
    factor = target @ flat.conj().T / (np.abs(flat) ** 2).sum(1)  # [n, cells]
    best = np.argmax(np.abs(factor) ** 2 * (np.abs(flat) ** 2).sum(1), axis=1)
    chosen = factor[np.arange(len(best)), best]
    roll = Rotation.from_rotvec(np.angle(chosen)[:, None] * [0.0, 0.0, 1.0]).as_matrix()
    return roll @ rotations[best], np.abs(chosen)


@lru_cache(maxsize=1)
def _grid() -> NDArray[np.float64]:
    yaw, pitch = (axis.ravel() for axis in np.meshgrid(np.arange(-100, 101, 5.0), np.arange(-60, 61, 10.0)))
    return matrix_from_angles(yaw, pitch, np.zeros_like(yaw))


def rotation_weight(yaw: NDArray, presence: NDArray) -> NDArray[np.float64]:
    """Weight of FaceMesh's rotation in the fused one [n]. yaw: PoseNet's [n], degrees; presence: FaceMesh's logits."""
    return MESH_SHARE * _mesh_weight(yaw, presence, FADE_YAW, SURE_PRESENCE, SURE_SOFTNESS)


def points_weight(yaw: NDArray, presence: NDArray) -> NDArray[np.float64]:
    """Weight of FaceMesh's points, 0..1 [n]. yaw: PoseNet's, degrees [n]; presence: FaceMesh's logits [n]."""
    return _mesh_weight(yaw, presence, POINTS_FADE, PRESENCE_MIDDLE, PRESENCE_SOFTNESS)


def _mesh_weight(
    yaw: NDArray, presence: NDArray, fade: tuple[float, float], middle: float, softness: float
) -> NDArray[np.float64]:
    """0..1 [n]: falls over `fade` degrees of |yaw|, and rises with presence, a half at its `middle`."""
    return np.interp(np.abs(yaw), fade, (1.0, 0.0)) / (1.0 + np.exp(-(presence - middle) / softness))


def positioned(rotation: NDArray, learned: LearnedPose) -> Fits:
    """The head model with `rotation` [n, 3, 3], at PoseNet's position and scale."""
    posed = (rotation @ head_model().five_points().mean(0))[:, :2]
    return Fits(rotation, learned.scale, learned.middle - learned.scale[:, None] * posed)


def posed_mesh(fits: Fits, depth: NDArray) -> NDArray[np.float64]:
    """The head model's mesh in a pose, in pixels [n, 468, 3]; depth: the mean z that it gets [n]."""
    posed = fits.scale[:, None, None] * (fits.rotation @ head_model().mesh.T).transpose(0, 2, 1)
    posed[..., :2] += fits.centre[:, None]
    posed[..., 2] += (depth - posed[..., 2].mean(1))[:, None]
    return posed
