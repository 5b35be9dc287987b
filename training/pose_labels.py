"""What PoseNet is taught about each face: a rotation out of the teachers' answers, and how much to believe it."""

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

# AFLW's own yaw labels, which neither teacher has seen, rank faces as the mean does best at 0.8 to 0.9 of 3DDFA_V2, in
# every range of yaw (Spearman at 0 / 0.6 / 0.8 / 1: .772 / .797 / .802 / .802 to 30 degrees, .345 / .403 / .407 / .403
# past 60).
DDFA_SHARE = 0.8
# FaceMesh's share in the mean falls from this to none between these angles of yaw: beyond, its faces are too frontal.
MESH_SHARE = 0.3
MESH_FADES = (25.0, 45.0)
# FSA-Net and 3DDFA_V2 read pitch too low, the more the higher the face looks. On AFLW2000-3D's 16 images here the mean
# is 3.2 degrees (one standard error is 1.5); on plain renders of the scan -0.2 / 2.3 / 6.2 at pitch -15 / 0 / 15.
RAISE = 3.0
RAISE_PER_DEGREE = 0.12
# Between half and full profile both read yaw too high: on renders of the scan in random shapes, at 50 to 70 degrees,
# 3DDFA_V2 by 3.8 and FSA-Net by 4.7 in the median; on AFLW2000-3D's three images here at 55 to 71 degrees by 5 to 10;
# and where they say 55 to 65, AFLW's own labels say 1.5 to 2 less. About half of what the scan shows is taken off.
TURNED = (40.0, 50.0, 68.0, 80.0)  # degrees of yaw
TURN_BACK = (0.0, 2.0, 2.0, 0.0)
LARGEST_DISAGREEMENT = 30.0  # degrees between the teachers; beyond, neither is believed
FARTHEST_FROM_LABEL = 30.0  # degrees between the teachers' yaw and AFLW's, once mapped to their definition


@dataclass
class Targets:
    """rotation: float64 [n, 3, 3]; weight: float64 [n], about 1; usable: bool [n], may be trained on."""

    rotation: NDArray[np.float64]
    weight: NDArray[np.float64]
    usable: NDArray[np.bool_]


def consensus(teachers: NDArray) -> NDArray[np.float64]:
    """What FSA-Net, 3DDFA_V2 and FaceMesh [n, 3, 3, 3] say together: [n, 3, 3]."""
    fsanet, ddfa, mesh = np.swapaxes(teachers, 0, 1)
    mean = mean_rotation(np.stack([fsanet * (1 - DDFA_SHARE), ddfa * DDFA_SHARE]))
    elevation = np.degrees(
        np.arcsin(np.clip(mean[:, 1, 2], -1, 1))
    )  # of the line of sight: (0, 0, -1) in the head
    raise_by = np.clip(RAISE + RAISE_PER_DEGREE * elevation, 0, 7)
    raised = _turned_back(mean @ matrix_from_angles(np.zeros(len(mean)), raise_by, np.zeros(len(mean))))
    turned = np.degrees(np.arccos(np.clip(mean[:, 0, 0] / np.hypot(mean[:, 0, 0], mean[:, 0, 2]), -1, 1)))
    fade = np.interp(turned, MESH_FADES, [MESH_SHARE, 0.0])
    near = geodesic_degrees(raised, mesh) < 15
    return blend(raised, mesh, fade * near)


def _turned_back(rotation: NDArray) -> NDArray[np.float64]:
    """Rotations [n, 3, 3] less what the teachers read too high in yaw."""
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
    """AFLW's yaw labels [n] in the teachers' definition: by the medians of the latter in steps of ten degrees."""
    size, sign = np.abs(label), np.sign(label)
    yaw = angles_from_matrix(agreed)[:, 0] * sign
    steps = np.arange(0, 90, 10)
    medians = [np.median(yaw[labelled & (size >= step) & (size < step + 10)]) for step in steps]
    return sign * np.interp(size, [0.0, *(steps + 5), 91.0], [0.0, *medians, medians[-1] + 4])
