"""The head pose that the table holds: PoseNet's, FaceMesh's where it is sure, and every estimator's vote on the bin."""

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
from lpff_ray.geometry.transforms import crop_transform, sample
from lpff_ray.measure.contract import FaceBatch, Values
from lpff_ray.measure.pose import bins as pose_bins
from lpff_ray.measure.pose import fits as pose
from lpff_ray.measure.pose.landmarks import SCHEME_68, Meshes
from lpff_ray.models.networks.posenet import CROP_FACTOR
from lpff_ray.models.networks.posenet import INPUT as POSE_INPUT
from lpff_ray.models.runtimes import PoseModel
from lpff_ray.types import PoseBin

NEAR_FRONTAL = frozenset({"facemesh", "blazeface"})
"""Estimators that know faces by both eyes. Half of a profile they may take for a whole face, and two of them would
outvote PoseNet: where FaceMesh's points count for nothing, `frontal` is no answer of theirs. What else they say there
counts: towards 90 degrees PoseNet's pitch is loose, theirs is not."""


@dataclass(frozen=True)
class FusedPose:
    """The pose of faces. columns: as `columns.POSE`, in pixels of the frame; faces: with rotation and points."""

    columns: Mapping[str, Values]
    faces: FaceBatch


def learned_pose(network: PoseModel, pictures: Sequence[NDArray[np.uint8]], boxes: NDArray) -> pose.Learned:
    """What PoseNet says of the faces in boxes [n, 4]; pictures: RGB [h, w, 3], one entry per face."""
    boxes = boxes.astype(np.float64)
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(1) * CROP_FACTOR
    crops = [
        sample(picture, crop_transform(centre, side, 0.0, POSE_INPUT), POSE_INPUT)
        for picture, centre, side in zip(pictures, centres, sides, strict=True)
    ]
    rotation, _, places = (answer.astype(np.float64) for answer in network(np.stack(crops)))
    return pose.Learned(rotation, np.exp(places[:, 2]) * sides / 10, centres + places[:, :2] * sides[:, None])


def fused_pose(
    faces: FaceBatch,
    meshes: Meshes,
    learned: pose.Learned,
    voted: Mapping[str, NDArray],
    focal: float,
) -> FusedPose:
    """Fuse the embedded estimators.

    learned: PoseNet's answers. voted: rotations [n, 3, 3] of optional estimators by name, which are kept beside the
    others and vote on the bins. focal: of the frame's camera, pixels.
    """
    origin = np.asarray(faces.origin, np.float64)
    mesh_fit = pose.fit_mesh(meshes.points)
    keypoint_fit = pose.fit_keypoints(faces.keypoints.astype(np.float64))
    rotations = {
        "posenet": learned.rotation,
        "facemesh": pose.turned_outwards(mesh_fit.rotation, meshes.presence),
        "blazeface": keypoint_fit.rotation,
        **voted,
    }
    votes = {name: angles_from_matrix(estimated) for name, estimated in rotations.items()}
    share = pose.mesh_share(votes["posenet"][:, 0], meshes.presence)
    trust = pose.mesh_weight(votes["posenet"][:, 0], meshes.presence)
    rotation = blend(learned.rotation, rotations["facemesh"], share)
    placed = pose.place(rotation, learned)
    scale = placed.scale ** (1 - trust) * np.maximum(mesh_fit.scale, 1e-6) ** trust
    centre = placed.centre + (mesh_fit.centre - placed.centre) * trust[:, None] + origin
    rotvec, translation = to_camera(rotation, scale, centre, faces.width, faces.height, focal)
    angles = angles_from_matrix(rotation).astype(np.float32)
    modelled = pose.posed_mesh(placed, meshes.points[..., 2].mean(1))
    points = modelled + (meshes.points - modelled) * trust[:, None, None]
    five = five_points(points)[..., :2]
    uncertain = np.abs(votes["posenet"][:, 0]) >= pose.POINTS_FADE[1]
    columns: dict[str, Values] = {
        "keypoints": (five + origin).astype(np.float32),
        "landmarks": (points[:, SCHEME_68] + np.append(origin, 0.0)).astype(np.float32),
        "rotvec": rotvec.astype(np.float32),
        "translation": translation.astype(np.float32),
        "yaw": angles[:, 0],
        "pitch": angles[:, 1],
        "roll": angles[:, 2],
        "pose_spread": spread(list(rotations.values())),
        **voted_bins(votes, uncertain),
    }
    return FusedPose(columns, faces.posed(rotation, five))


def voted_bins(votes: Mapping[str, NDArray], uncertain: NDArray[np.bool_]) -> dict[str, list[Any]]:
    """Every estimator's angles, and EFHQ's bins by vote: the columns `pose_votes` and `pose_bin*`.

    votes: yaw, pitch, roll in degrees [n, 3] by estimator. uncertain [n]: for these faces `frontal` is no answer of
    NEAR_FRONTAL's, and how far they think them turned counts for no fine bin.
    """
    columns: dict[str, list[Any]] = {
        name: [] for name in ("pose_votes", "pose_bin", "pose_bin_strict", "pose_bin_fine")
    }
    for number in range(len(uncertain)):
        of_face = {name: angles[number] for name, angles in votes.items()}
        columns["pose_votes"].append(
            [
                {"estimator": name, **dict(zip(("yaw", "pitch", "roll"), angles.tolist(), strict=True))}
                for name, angles in of_face.items()
            ]
        )
        bins = {name: pose_bins.bin_of(yaw, pitch) for name, (yaw, pitch, _) in of_face.items()}
        unable = NEAR_FRONTAL if uncertain[number] else frozenset()
        counted = [bin_ for name, bin_ in bins.items() if name not in unable or bin_ != PoseBin.FRONTAL]
        soft = pose_bins.soft_bin(counted)
        seen = np.array([angles[:2] for name, angles in of_face.items() if name not in unable])
        columns["pose_bin"].append(soft)
        columns["pose_bin_strict"].append(pose_bins.hard_bin(counted))
        columns["pose_bin_fine"].append(pose_bins.fine_bin(soft, seen))
    return columns


def spread(rotations: Sequence[NDArray]) -> NDArray[np.float64]:
    """Mean geodesic distance in degrees [n] over all pairs of several estimators' rotations [n, 3, 3]."""
    return np.mean([geodesic_degrees(a, b) for a, b in combinations(rotations, 2)], axis=0)
