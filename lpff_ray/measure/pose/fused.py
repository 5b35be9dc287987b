"""The head pose of the faces table: PoseNet's and FaceMesh's, fused, and all estimators' votes on the pose bin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.camera import to_camera
from lpff_ray.geometry.head_model import five_points
from lpff_ray.geometry.rotation import angles_from_matrix, blend, geodesic_degrees
from lpff_ray.geometry.transforms import crop_transform, warp_crop
from lpff_ray.measure.contract import FaceBatch, Values
from lpff_ray.measure.pose import bins as pose_bins
from lpff_ray.measure.pose import fits
from lpff_ray.measure.pose.landmarks import SCHEME_68, Meshes
from lpff_ray.models.networks.posenet import CROP_FACTOR
from lpff_ray.models.networks.posenet import INPUT as POSE_INPUT
from lpff_ray.models.runtimes import PoseModel
from lpff_ray.types import PoseBin

NEEDS_BOTH_EYES = frozenset({"facemesh", "blazeface"})
"""These estimators may take half of a profile for a whole frontal face, and two of them outvote PoseNet. So where
FaceMesh's points get no weight, their vote does not count if it is `frontal`. Their other votes do count there: near
90 degrees of yaw their pitch is better than PoseNet's."""


@dataclass(frozen=True)
class FusedPose:
    """The pose of a batch of faces. columns: those of `columns.POSE`, in frame pixels; faces: with their pose."""

    columns: Mapping[str, Values]
    faces: FaceBatch


def learned_pose(
    network: PoseModel, pictures: Sequence[NDArray[np.uint8]], boxes: NDArray
) -> fits.LearnedPose:
    """PoseNet's results for the faces in boxes [n, 4]; pictures: RGB [h, w, 3], one entry per face."""
    boxes = boxes.astype(np.float64)
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(1) * CROP_FACTOR
    crops = [
        warp_crop(picture, crop_transform(centre, side, 0.0, POSE_INPUT), POSE_INPUT)
        for picture, centre, side in zip(pictures, centres, sides, strict=True)
    ]
    rotation, _, positions = (output.astype(np.float64) for output in network(np.stack(crops)))
    scale, middle = np.exp(positions[:, 2]) * sides / 10, centres + positions[:, :2] * sides[:, None]
    return fits.LearnedPose(rotation, scale, middle)


def fused_pose(
    faces: FaceBatch,
    meshes: Meshes,
    learned: fits.LearnedPose,
    optional_rotations: Mapping[str, NDArray],
    focal: float,
) -> FusedPose:
    """Fuse the built-in estimators (PoseNet, FaceMesh, BlazeFace's keypoints) into one pose per face.

    learned: PoseNet's results. optional_rotations: [n, 3, 3] of optional estimators by name: they vote on the bins and
    are kept in `pose_votes`, but do not change the pose. focal: of the frame's camera, pixels.
    """
    origin = np.asarray(faces.origin, np.float64)
    mesh_fit = fits.fit_mesh(meshes.points)
    keypoint_fit = fits.fit_keypoints(faces.keypoints.astype(np.float64))
    rotations = {
        "posenet": learned.rotation,
        "facemesh": fits.corrected_mesh_rotation(mesh_fit.rotation, meshes.presence),
        "blazeface": keypoint_fit.rotation,
        **optional_rotations,
    }
    votes = {name: angles_from_matrix(estimated) for name, estimated in rotations.items()}
    share = fits.rotation_weight(votes["posenet"][:, 0], meshes.presence)
    weight = fits.points_weight(votes["posenet"][:, 0], meshes.presence)
    rotation = blend(learned.rotation, rotations["facemesh"], share)
    model_fit = fits.positioned(rotation, learned)
    scale = model_fit.scale ** (1 - weight) * np.maximum(mesh_fit.scale, 1e-6) ** weight
    centre = model_fit.centre + (mesh_fit.centre - model_fit.centre) * weight[:, None] + origin
    rotvec, translation = to_camera(rotation, scale, centre, faces.width, faces.height, focal)
    angles = angles_from_matrix(rotation).astype(np.float32)
    modelled = fits.posed_mesh(model_fit, meshes.points[..., 2].mean(1))
    points = modelled + (meshes.points - modelled) * weight[:, None, None]
    five = five_points(points)[..., :2]
    turned_away = np.abs(votes["posenet"][:, 0]) >= fits.POINTS_FADE[1]
    columns: dict[str, Values] = {
        "keypoints": (five + origin).astype(np.float32),
        "landmarks": (points[:, SCHEME_68] + np.append(origin, 0.0)).astype(np.float32),
        "rotvec": rotvec.astype(np.float32),
        "translation": translation.astype(np.float32),
        "yaw": angles[:, 0],
        "pitch": angles[:, 1],
        "roll": angles[:, 2],
        "pose_spread": spread(list(rotations.values())),
        **voted_bins(votes, turned_away),
    }
    return FusedPose(columns, faces.with_pose(rotation, five))


def voted_bins(votes: Mapping[str, NDArray], turned_away: NDArray[np.bool_]) -> dict[str, list[Any]]:
    """Every estimator's angles, and EFHQ's bins by vote: the columns `pose_votes` and `pose_bin*`.

    votes: yaw, pitch, roll in degrees [n, 3] by estimator. turned_away [n]: for these faces a vote `frontal` of the
    estimators in NEEDS_BOTH_EYES does not count, nor do their angles for the fine bin.
    """
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
        bins = {name: pose_bins.bin_of(yaw, pitch) for name, (yaw, pitch, _) in of_face.items()}
        unable = NEEDS_BOTH_EYES if turned_away[number] else frozenset()
        counted = [bin_ for name, bin_ in bins.items() if name not in unable or bin_ != PoseBin.FRONTAL]
        majority = pose_bins.majority_bin(counted)
        seen = np.array([angles[:2] for name, angles in of_face.items() if name not in unable])
        columns["pose_bin"].append(str(majority))
        columns["pose_bin_strict"].append(str(pose_bins.unanimous_bin(counted)))
        columns["pose_bin_fine"].append(str(pose_bins.fine_bin(majority, seen)))
    return columns


def spread(rotations: Sequence[NDArray]) -> NDArray[np.float64]:
    """Mean geodesic distance in degrees [n] over all pairs of several estimators' rotations [n, 3, 3]."""
    return np.mean([geodesic_degrees(a, b) for a, b in combinations(rotations, 2)], axis=0)
