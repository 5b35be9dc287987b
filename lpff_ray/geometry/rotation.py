"""Rotations of heads and the angles they are reported in.

Head frame: origin midway between the tragions (ear openings), x towards the subject's left ear, y down, z from the
nose into the head; for a head that looks straight into the camera it is parallel to the camera frame (x right, y down,
z away). A rotation matrix maps head coordinates to camera coordinates.

Angles are those of 300W-LP and AFLW2000-3D, in degrees: R = Rx(-pitch) Ry(yaw) Rz(roll) in these frames, so that
yaw > 0 turns the face to image-left, pitch > 0 looks up and roll > 0 tilts the head clockwise in the image.
Source: Zhu et al., "Face Alignment Across Large Poses" (2016) and its `RotationMatrix.m`; signs checked on
AFLW2000-3D's labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation


def matrix_from_angles(yaw: NDArray, pitch: NDArray, roll: NDArray) -> NDArray[np.float64]:
    """Rotation matrices [..., 3, 3] from angles in degrees [...]."""
    y, p, r = (np.radians(np.asarray(angle, np.float64)) for angle in (yaw, pitch, roll))
    zero, one = np.zeros_like(y), np.ones_like(y)

    def stacked(*rows: tuple[NDArray, NDArray, NDArray]) -> NDArray[np.float64]:
        return np.stack([np.stack(row, -1) for row in rows], -2)

    about_x = stacked((one, zero, zero), (zero, np.cos(p), np.sin(p)), (zero, -np.sin(p), np.cos(p)))
    about_y = stacked((np.cos(y), zero, np.sin(y)), (zero, one, zero), (-np.sin(y), zero, np.cos(y)))
    about_z = stacked((np.cos(r), -np.sin(r), zero), (np.sin(r), np.cos(r), zero), (zero, zero, one))
    return about_x @ about_y @ about_z


def angles_from_matrix(rotation: NDArray) -> NDArray[np.float64]:
    """Yaw, pitch, roll in degrees [..., 3] of rotations [..., 3, 3]; |pitch| <= 90, so yaw may pass 90.

    Two triples of angles make the same rotation; the one with the chin below the forehead is returned: a level head
    turned past profile has yaw 95, pitch 0, roll 0 and not 85, 180, 180. At a yaw of exactly 90 only the sum of pitch
    and roll is determined.
    """
    sine = np.clip(rotation[..., 0, 2], -1.0, 1.0)
    yaw = np.degrees(np.arcsin(sine))
    pitch = np.degrees(np.arctan2(rotation[..., 1, 2], rotation[..., 2, 2]))
    roll = np.degrees(np.arctan2(-rotation[..., 0, 1], rotation[..., 0, 0]))
    behind = np.abs(pitch) > 90
    yaw = np.where(behind, np.where(yaw >= 0, 180.0, -180.0) - yaw, yaw)
    pitch = np.where(behind, _wrap(pitch + 180.0), pitch)
    roll = np.where(behind, _wrap(roll + 180.0), roll)
    return np.stack([yaw, pitch, roll], -1)


def direction_from_matrix(rotation: NDArray) -> NDArray[np.float64]:
    """Azimuth, elevation and tilt in degrees [..., 3] of rotations [..., 3, 3]: where the nose points, and the lean.

    azimuth: of the nose's direction about the vertical, > 0 to image-left, 90 at full profile, past it behind.
    elevation: how far the nose points above the horizontal, -90 .. 90. tilt: how the head is turned about the nose's
    direction, > 0 clockwise in the image for a frontal head.

    R = Ry(azimuth) Rx(-elevation) Rz(tilt). Yaw, pitch and roll of one level profile may be (78, -64, -66): near 90
    degrees of yaw only the sum of the other two is determined. These three are well determined unless the nose points
    straight up or down, where no face is seen.
    """
    elevation = np.degrees(np.arcsin(np.clip(rotation[..., 1, 2], -1.0, 1.0)))
    azimuth = np.degrees(np.arctan2(rotation[..., 0, 2], rotation[..., 2, 2]))
    tilt = np.degrees(np.arctan2(rotation[..., 1, 0], rotation[..., 1, 1]))
    return np.stack([azimuth, elevation, tilt], -1)


def matrix_from_direction(azimuth: NDArray, elevation: NDArray, tilt: NDArray) -> NDArray[np.float64]:
    """Rotation matrices [..., 3, 3] from azimuth, elevation and tilt in degrees [...]."""
    zero = np.zeros_like(np.asarray(azimuth, np.float64))
    about_y = matrix_from_angles(azimuth, zero, zero)
    return about_y @ matrix_from_angles(zero, elevation, zero) @ matrix_from_angles(zero, zero, tilt)


def upright_angle(rotation: NDArray) -> NDArray[np.float64]:
    """By how much heads [..., 3, 3] are turned in the picture, radians [...], > 0 clockwise; 0: crown up."""
    return np.arctan2(-rotation[..., 0, 1], rotation[..., 1, 1])


def geodesic_degrees(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """Angle in degrees [...] of the rotation between a and b [..., 3, 3]."""
    chord = np.linalg.norm(a - b, axis=(-2, -1)) / np.sqrt(8.0)
    return np.degrees(2.0 * np.arcsin(np.clip(chord, 0.0, 1.0)))


def blend(a: NDArray, b: NDArray, weight: NDArray) -> NDArray[np.float64]:
    """The rotation [n, 3, 3] that lies `weight` [n] of the way from a to b along the shortest path."""
    step = (Rotation.from_matrix(a).inv() * Rotation.from_matrix(b)).as_rotvec()
    return (Rotation.from_matrix(a) * Rotation.from_rotvec(step * np.asarray(weight)[:, None])).as_matrix()


def mean_rotation(rotations: NDArray) -> NDArray[np.float64]:
    """Chordal mean of rotations [k, ..., 3, 3] over the first axis: the rotation nearest to their arithmetic mean."""
    u, _, vt = np.linalg.svd(np.asarray(rotations, np.float64).mean(0))
    u[..., 2] *= np.linalg.det(u @ vt)[..., None]
    return u @ vt


def _wrap(degrees: NDArray) -> NDArray[np.float64]:
    return (degrees + 180.0) % 360.0 - 180.0
