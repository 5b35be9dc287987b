"""A face of the table as a training set sees it: points to align it by, EG3D's crop, and its camera.

The same from the front and at profile, where eyes and mouth corners are hidden: what is not seen comes from the head
model in the measured pose, as LPFF takes it from Deep3DFaceRecon's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpff_ray.exports.imaging.alignment import face_quad
from lpff_ray.geometry.eg3d_camera import CROP_DECIMETRES, DECIMETRES_PER_CM, FACE_CENTRE_HEAD, camera_label
from lpff_ray.geometry.head_model import head_model
from lpff_ray.geometry.rotation import matrix_from_angles
from lpff_ray.measure.pose.landmarks import SCHEME_68

COLUMNS = ("keypoints", "landmarks", "yaw", "pitch", "roll")
"""What is read of a row of the faces table."""


@dataclass(frozen=True)
class HeadView:
    """A face and its crops.

    five: eyes, nose tip, mouth corners float64 [5, 2] in frame pixels, image-left first. ffhq, eg3d: quads float64
    [4, 2] of the two crops, as `ffhq_quad` orders them. label: float64 [25], EG3D's camera of the crop `eg3d`.
    """

    five: NDArray[np.float64]
    ffhq: NDArray[np.float64]
    eg3d: NDArray[np.float64]
    label: NDArray[np.float64]


def head_view(row: Mapping[str, Any]) -> HeadView:
    """The view of a row with COLUMNS.

    EG3D's square is as level as FFHQ's, has Deep3DFaceRecon's face centre in its middle, and is 2 1/3 of its units
    wide; the camera has the roll that the crop has left.

    Source: NVlabs/eg3d, dataset_preprocessing/ffhq: FFHQ's alignment, then `crop_images_in_the_wild.py`, which fits an
    affine camera to the five points. Five points leave its eight numbers hardly any check, and none at profile; the
    rotation being known, scale and position are all that is fitted here.
    """
    yaw, pitch, roll = np.array([row["yaw"], row["pitch"], row["roll"]], np.float64)
    rotation = matrix_from_angles(yaw, pitch, roll)
    five, pixels_per_cm, head = fit_head(row["keypoints"], row["landmarks"], rotation)
    ffhq = face_quad(five)
    x = (ffhq[3] - ffhq[0]) / np.hypot(*(ffhq[3] - ffhq[0]))
    y = np.array([-x[1], x[0]])
    centre = head + pixels_per_cm * (rotation @ FACE_CENTRE_HEAD)[:2]
    half = pixels_per_cm / DECIMETRES_PER_CM * CROP_DECIMETRES / 2
    eg3d = centre + half * np.stack([-x - y, y - x, x + y, x - y])
    levelled = rotation.copy()
    levelled[:2] = np.stack([x, y]) @ rotation[:2]
    return HeadView(five, ffhq, eg3d, camera_label(levelled))


def fit_head(
    keypoints: NDArray, landmarks: NDArray, rotation: NDArray
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Fit size and position of the head model, turned by `rotation` [3, 3], to a face's points, in weak perspective.

    keypoints [5, 2], landmarks [68, 3]: as in the faces table. Returns the keypoints at the size that was found
    [5, 2], pixels per cm, and where in the frame the head frame's origin is [2].

    The size is the geometric mean of what the keypoints say under this rotation and of what all landmarks say: an
    open mouth moves two points of five. Evidence: docs/evidence/exports.md#head-size
    """
    seen = np.asarray(keypoints, np.float64)
    posed = (head_model().five_points() @ rotation.T)[:, :2]
    posed -= posed.mean(0)
    middle = seen.mean(0)
    by_keypoints = max(float((posed * (seen - middle)).sum()), 1e-6) / float((posed**2).sum())
    pixels_per_cm = float(np.sqrt(by_keypoints * _surface_scale(np.asarray(landmarks, np.float64))))
    five = middle + (seen - middle) * (pixels_per_cm / by_keypoints)
    origin = (head_model().five_points().mean(0) @ rotation.T)[:2]
    return five, pixels_per_cm, middle - pixels_per_cm * origin


def _surface_scale(landmarks: NDArray[np.float64]) -> float:
    """Pixels per cm of the similarity that takes the head model's 68 points to `landmarks` [68, 3] (Umeyama's)."""
    model = head_model().mesh[SCHEME_68]
    model, points = model - model.mean(0), landmarks - landmarks.mean(0)
    u, singular, vt = np.linalg.svd(points.T @ model)
    singular[2] *= np.sign(np.linalg.det(u @ vt))
    return max(float(singular.sum()), 1e-6) / float((model**2).sum())
