"""The head pose of the faces table: PoseNet's and FaceMesh's, fused, and all estimators' votes on the pose bin."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.camera import to_camera
from lpff_ray.geometry.head_model import five_points
from lpff_ray.geometry.rotation import (
    angles_from_matrix,
    blend,
    direction_from_matrix,
    geodesic_degrees,
)
from lpff_ray.measure.contract import FaceBatch, Values
from lpff_ray.measure.detection.detections import KeypointScheme
from lpff_ray.measure.pose import bins as pose_bins
from lpff_ray.measure.pose import fits
from lpff_ray.measure.pose.landmarks import SCHEME_68, Meshes
from lpff_ray.measure.pose.learned import LearnedPose
from lpff_ray.types import PoseBin

FACE_MESH = "facemesh"
BOX_MARGIN = 0.02  # of the box's longer side, by which boxes grow beyond landmarks that reach out of them


@dataclass(frozen=True)
class FusedPose:
    """The pose of a batch of faces. columns: those of `columns.POSE`, in frame pixels; faces: with their pose."""

    columns: Mapping[str, Values]
    faces: FaceBatch


def fused_pose(
    faces: FaceBatch,
    meshes: Meshes,
    learned: LearnedPose,
    scheme: KeypointScheme,
    optional_rotations: Mapping[str, NDArray],
    focal: float,
) -> FusedPose:
    """Fuse the built-in estimators (PoseNet, FaceMesh, the detector's keypoints) into one pose per face.

    learned: PoseNet's results. scheme: of the faces' keypoints. optional_rotations: [n, 3, 3] of optional estimators by
    name: they vote on the bins and are kept in `pose_votes`, but do not change the pose. focal: of the frame's camera,
    pixels.
    """
    mesh_fit = fits.fit_mesh(meshes.points)
    keypoint_fit = fits.fit_keypoints(faces.keypoints.astype(np.float64), scheme.model)
    rotations = {
        "posenet": learned.rotation,
        FACE_MESH: fits.corrected_mesh_rotation(mesh_fit.rotation, meshes.presence),
        scheme.estimator: keypoint_fit.rotation,
        **optional_rotations,
    }
    upright_yaw = angles_from_matrix(learned.rotation)[:, 0]
    share = fits.rotation_weight(upright_yaw, meshes.presence)
    weight = fits.points_weight(upright_yaw, meshes.presence)
    rotation = blend(learned.rotation, rotations[FACE_MESH], share)
    model_fit = fits.positioned(rotation, learned)
    scale = model_fit.scale ** (1 - weight) * np.maximum(mesh_fit.scale, 1e-6) ** weight
    centre = model_fit.centre + (mesh_fit.centre - model_fit.centre) * weight[:, None]
    modelled = fits.posed_mesh(model_fit, meshes.points[..., 2].mean(1))
    points = modelled + (meshes.points - modelled) * weight[:, None, None]
    five = five_points(points)[..., :2]
    boxes = grown_to_landmarks(faces.boxes, points[:, SCHEME_68, :2])
    posed = faces.with_pose(rotation, five, boxes, learned.inner_boxes().astype(np.float32))

    landmarks = points[:, SCHEME_68].copy()
    landmarks[..., :2] = faces.points_in_frame(landmarks[..., :2])
    in_frame = faces.rotations_in_frame(rotation)
    middle = faces.points_in_frame(centre[:, None])[:, 0]
    rotvec, translation = to_camera(in_frame, scale, middle, faces.width, faces.height, focal)
    angles = angles_from_matrix(in_frame).astype(np.float32)
    direction = direction_from_matrix(in_frame).astype(np.float32)
    votes = {
        name: angles_from_matrix(faces.rotations_in_frame(estimated)) for name, estimated in rotations.items()
    }
    turned_away = np.abs(upright_yaw) >= fits.POINTS_FADE[1]
    needs_both_eyes = {FACE_MESH} if scheme.sees_profiles else {FACE_MESH, scheme.estimator}
    columns: dict[str, Values] = {
        "keypoints": faces.points_in_frame(five).astype(np.float32),
        "landmarks": landmarks.astype(np.float32),
        "rotvec": rotvec.astype(np.float32),
        "translation": translation.astype(np.float32),
        "yaw": angles[:, 0],
        "pitch": angles[:, 1],
        "roll": angles[:, 2],
        "azimuth": direction[:, 0],
        "elevation": direction[:, 1],
        "tilt": direction[:, 2],
        "pose_spread": spread(list(rotations.values())),
        **voted_bins(votes, turned_away, needs_both_eyes),
    }
    return FusedPose(columns, posed)


def grown_to_landmarks(boxes: NDArray, landmarks: NDArray) -> NDArray[np.float32]:
    """Boxes [n, 4] that also hold the landmarks [n, k, 2]: brows, nose tip and chin are inside at any yaw."""
    margin = BOX_MARGIN * (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True)
    low = np.minimum(boxes[:, :2], landmarks.min(1) - margin)
    high = np.maximum(boxes[:, 2:], landmarks.max(1) + margin)
    return np.concatenate([low, high], 1).astype(np.float32)


def voted_bins(
    votes: Mapping[str, NDArray], turned_away: NDArray[np.bool_], needs_both_eyes: Collection[str]
) -> dict[str, list[Any]]:
    """Every estimator's angles, and EFHQ's bins by vote: the columns `pose_votes` and `pose_bin*`.

    votes: yaw, pitch, roll in degrees [n, 3] by estimator. turned_away [n], needs_both_eyes: these estimators may take
    half of a profile for a whole frontal face, and two of them outvote PoseNet. So for faces turned away their vote
    does not count if it is `frontal`, nor do their angles for the fine bin. Bins go by `bins.binned_pitch`.
    """
    by_bins = {
        name: np.stack([angles[:, 0], pose_bins.binned_pitch(angles[:, 0], angles[:, 1])], 1)
        for name, angles in votes.items()
    }
    columns: dict[str, list[Any]] = {
        name: [] for name in ("pose_votes", "pose_bin", "pose_bin_strict", "pose_bin_fine")
    }
    for number in range(len(turned_away)):
        of_face = {name: angles[number] for name, angles in votes.items()}
        columns["pose_votes"].append(
            [
                {"estimator": name, **dict(zip(("yaw", "pitch", "roll"), angles.tolist(), strict=True))}
                for name, angles in of_face.items()
            ]
        )
        binned = {name: angles[number] for name, angles in by_bins.items()}
        bins = {name: pose_bins.bin_of(yaw, pitch) for name, (yaw, pitch) in binned.items()}
        unable = needs_both_eyes if turned_away[number] else ()
        counted = [bin_ for name, bin_ in bins.items() if name not in unable or bin_ != PoseBin.FRONTAL]
        majority = pose_bins.majority_bin(counted)
        seen = np.array([angles for name, angles in binned.items() if name not in unable])
        columns["pose_bin"].append(str(majority))
        columns["pose_bin_strict"].append(str(pose_bins.unanimous_bin(counted)))
        columns["pose_bin_fine"].append(str(pose_bins.fine_bin(majority, seen)))
    return columns


def spread(rotations: Sequence[NDArray]) -> NDArray[np.float64]:
    """Mean geodesic distance in degrees [n] over all pairs of several estimators' rotations [n, 3, 3]."""
    return np.mean([geodesic_degrees(a, b) for a, b in combinations(rotations, 2)], axis=0)
