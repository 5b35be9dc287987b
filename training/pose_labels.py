"""The labels that PoseNet is trained on: a rotation for each face, from the teachers' estimates, and its weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.rotation import (
    angles_from_matrix,
    blend,
    geodesic_degrees,
    matrix_from_angles,
    mean_rotation,
)

# Weight of 3DDFA_V2 in the mean, the rest being FSA-Net's. Evidence: docs/evidence/pose.md#labels-for-training
DDFA_SHARE = 0.8
# FaceMesh's share in the mean falls from this to none between these angles of yaw: beyond, its faces are too frontal.
MESH_SHARE = 0.3
MESH_FADES = (25.0, 45.0)
# Degrees added to the mean's pitch, and per degree of it: the teachers read it too low.
# Evidence: docs/evidence/pose.md#labels-for-training
RAISE = 3.0
RAISE_PER_DEGREE = 0.12
# Degrees taken off the size of the mean's yaw, by that size: between half and full profile the teachers read it too
# high. Evidence: docs/evidence/pose.md#labels-for-training
TURNED = (40.0, 50.0, 68.0, 80.0)
TURN_BACK = (0.0, 2.0, 2.0, 0.0)
LARGEST_DISAGREEMENT = 30.0  # degrees between the teachers; beyond, the face is not trained on
FARTHEST_FROM_LABEL = 30.0  # degrees between the teachers' yaw and AFLW's, once mapped to their definition


@dataclass
class Targets:
    """rotation: float64 [n, 3, 3]; weight: float64 [n], about 1; usable: bool [n], may be trained on."""

    rotation: NDArray[np.float64]
    weight: NDArray[np.float64]
    usable: NDArray[np.bool_]


def consensus(teachers: NDArray) -> NDArray[np.float64]:
    """One rotation per face [n, 3, 3] from those of FSA-Net, 3DDFA_V2 and FaceMesh [n, 3, 3, 3]."""
    fsanet, ddfa, mesh = np.swapaxes(teachers, 0, 1)
    mean = mean_rotation(np.stack([fsanet * (1 - DDFA_SHARE), ddfa * DDFA_SHARE]))
    # Of the line of sight, which is (0, 0, -1) in the head.
    elevation = np.degrees(np.arcsin(np.clip(mean[:, 1, 2], -1, 1)))
    raise_by = np.clip(RAISE + RAISE_PER_DEGREE * elevation, 0, 7)
    raised = _turned_back(mean @ matrix_from_angles(np.zeros(len(mean)), raise_by, np.zeros(len(mean))))
    turned = np.degrees(np.arccos(np.clip(mean[:, 0, 0] / np.hypot(mean[:, 0, 0], mean[:, 0, 2]), -1, 1)))
    fade = np.interp(turned, MESH_FADES, [MESH_SHARE, 0.0])
    near = geodesic_degrees(raised, mesh) < 15
    return blend(raised, mesh, fade * near)


def _turned_back(rotation: NDArray) -> NDArray[np.float64]:
    """Rotations [n, 3, 3] with the teachers' error in yaw taken off."""
    yaw, pitch, roll = angles_from_matrix(rotation).T
    return matrix_from_angles(yaw - np.sign(yaw) * np.interp(np.abs(yaw), TURNED, TURN_BACK), pitch, roll)


def targets(faces: dict[str, NDArray]) -> Targets:
    """Targets of faces as `pose_data.collect` gives them."""
    known = np.isfinite(faces["exact"]).all((1, 2))
    agreed = consensus(faces["teach"])
    rotation = np.where(known[:, None, None], faces["exact"], agreed)
    apart = geodesic_degrees(faces["teach"][:, 0], faces["teach"][:, 1])
    weight = np.where(known, 1.0, 1 / (1 + (apart / 10) ** 2))
    labelled = np.isfinite(faces["yaw"])
    off = np.abs(angles_from_matrix(agreed)[:, 0] - mapped_yaw(faces["yaw"], agreed, labelled & ~known))
    sane = known | ((apart < LARGEST_DISAGREEMENT) & ~(off > FARTHEST_FROM_LABEL))
    return Targets(rotation, weight, sane & ~faces["held"])


def mapped_yaw(label: NDArray, agreed: NDArray, labelled: NDArray) -> NDArray[np.float64]:
    """AFLW's yaw labels [n] on the teachers' scale: by medians of the teachers' yaw in steps of ten degrees."""
    size, sign = np.abs(label), np.sign(label)
    yaw = angles_from_matrix(agreed)[:, 0] * sign
    steps = np.arange(0, 90, 10)
    medians = [np.median(yaw[labelled & (size >= step) & (size < step + 10)]) for step in steps]
    return sign * np.interp(size, [0.0, *(steps + 5), 91.0], [0.0, *medians, medians[-1] + 4])
