"""6DoF head pose: two classical fits beside the learned one, and the place in space under a pinhole camera.

Rotations here describe what the face looks like in its own surroundings (weak perspective), as the labels of 300W-LP
do; `geometry.camera.to_camera` turns them into the camera's frame. See `geometry.rotation` for frames and angles.
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

# FaceMesh's presence logit at which its points and PoseNet's place weigh the same, and how fast that changes. The
# logit's median is 20 / 12 / 6 / 2 at |yaw| 0-30 / 30-60 / 60-75 / 75-91 on AFLW; the points are worthless below 3.
# And PoseNet's yaw between which FaceMesh's share fades: with that, the middle of the five points is 1.6 / 2.2 / 2.1 /
# 2.2 / 2.4% of the box's side from 3DDFA_V2's at |yaw| 0-30 / 30-45 / 45-60 / 60-75 / 75 and more on 808 faces, most of
# them held out; by presence alone 1.6 / 2.5 / 3.3 / 3.2 / 2.9%, and FaceMesh's own 1.6 / 2.5 / 5.2 / 6.8 / 8.7%.
PRESENCE_MIDDLE = 8.0
PRESENCE_SOFTNESS = 1.5
POINTS_FADE = (30.0, 55.0)

# FaceMesh's share of the fused rotation, against PoseNet's: at most MESH_SHARE, none past FADE_YAW[1] degrees of
# PoseNet's yaw or where FaceMesh is unsure. On 1,163 AFLW faces held out of its training it takes the mean of the three
# angles' errors below 60 degrees of yaw from 2.72 (PoseNet alone) to 2.48; a share by presence alone pulls profiles 2.4
# degrees to the front.
MESH_SHARE = 0.35
FADE_YAW = (25.0, 45.0)
SURE_PRESENCE, SURE_SOFTNESS = 12.0, 2.0

# Degrees to add to the size of FaceMesh's yaw, by that size (rows) and its presence logit (columns): at profile it
# imagines a face that looks to the front, and knows that something is wrong. Fitted on 1,900 of the faces that PoseNet
# was trained on by training/fit_mesh_yaw.py; on 496 others the yaw error falls from 3.5 / 6.8 / 16.6 / 29 to
# 4.4 / 6.3 / 6.5 / 9.6 at |yaw| 30-45 / 45-60 / 60-75 / 75 and more.
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


@dataclass(frozen=True)
class Learned:
    """PoseNet's answers: rotation [n, 3, 3], scale [n] in pixels per cm, and `middle` [n, 2], in pixels, the place of
    the mean of eyes, nose tip and mouth corners: unlike the head's centre, it hardly depends on the rotation."""

    rotation: NDArray[np.float64]
    scale: NDArray[np.float64]
    middle: NDArray[np.float64]

    def of(self, which: NDArray[np.int64]) -> Learned:
        """The answers for some of the faces."""
        return Learned(self.rotation[which], self.scale[which], self.middle[which])


def fit_mesh(points: NDArray) -> Fits:
    """Rigid fit of the mean mesh to meshes [n, 468, 3] (Kabsch's algorithm, with scale).

    Excellent up to 30 degrees of yaw; at profile FaceMesh itself imagines a face that is always too frontal.
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


def turned_outwards(rotation: NDArray, presence: NDArray) -> NDArray[np.float64]:
    """FaceMesh's rotations [n, 3, 3] less what is known of their error in yaw; presence: its logits [n]."""
    yaw, pitch, roll = angles_from_matrix(rotation).T
    row = np.interp(np.abs(yaw), MESH_YAW, np.arange(len(MESH_YAW)))
    column = np.interp(presence, MESH_PRESENCE, np.arange(len(MESH_PRESENCE)))
    added = map_coordinates(MESH_YAW_ADDED, [row, column], order=1)
    return matrix_from_angles(yaw + np.sign(yaw) * added, pitch, roll)


def fit_keypoints(keypoints: NDArray, which: tuple[int, ...] = (0, 1, 2, 3, 4, 5)) -> Fits:
    """Scaled-orthographic fit of the head model to BlazeFace's keypoints [n, 6, 2], or to `which` of them [n, k, 2].

    A grid over yaw and pitch, each cell with its best roll, scale and place in closed form, then Gauss-Newton from
    the best cell: the fit is global, and continuous where the keypoints are.
    """
    model = head_model().keypoints[list(which)]
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


def mesh_share(yaw: NDArray, presence: NDArray) -> NDArray[np.float64]:
    """FaceMesh's share of the fused rotation [n], from PoseNet's yaw [n] in degrees and FaceMesh's presence [n]."""
    return MESH_SHARE * _mesh_trust(yaw, presence, FADE_YAW, SURE_PRESENCE, SURE_SOFTNESS)


def mesh_weight(yaw: NDArray, presence: NDArray) -> NDArray[np.float64]:
    """How far FaceMesh's points are to be trusted, 0..1 [n], from PoseNet's yaw [n] in degrees and its presence [n]."""
    return _mesh_trust(yaw, presence, POINTS_FADE, PRESENCE_MIDDLE, PRESENCE_SOFTNESS)


def _mesh_trust(
    yaw: NDArray, presence: NDArray, fade: tuple[float, float], middle: float, softness: float
) -> NDArray[np.float64]:
    """0..1 [n]: falls over `fade` degrees of |yaw|, and rises with presence, a half at its `middle`."""
    return np.interp(np.abs(yaw), fade, (1.0, 0.0)) / (1.0 + np.exp(-(presence - middle) / softness))


def place(rotation: NDArray, learned: Learned) -> Fits:
    """The head model, turned by `rotation` [n, 3, 3], where PoseNet sees it."""
    posed = (rotation @ head_model().five_points().mean(0))[:, :2]
    return Fits(rotation, learned.scale, learned.middle - learned.scale[:, None] * posed)


def posed_mesh(laid: Fits, depth: NDArray) -> NDArray[np.float64]:
    """The head model's mesh as `laid` says, in pixels [n, 468, 3]; depth: its mean z [n]."""
    posed = laid.scale[:, None, None] * (laid.rotation @ head_model().mesh.T).transpose(0, 2, 1)
    posed[..., :2] += laid.centre[:, None]
    posed[..., 2] += (depth - posed[..., 2].mean(1))[:, None]
    return posed
