"""The pose that PoseNet reads from crops of a face: rotation, size and position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.rotation import angles_from_matrix, mean_rotation
from lpff_ray.geometry.transforms import crop_transform, warp_crop
from lpff_ray.models.networks.posenet import CROP_FACTOR
from lpff_ray.models.networks.posenet import INPUT as POSE_INPUT
from lpff_ray.models.runtimes import PoseModel

# Where BlazeFace puts its boxes, which PoseNet was trained on, by |yaw| in degrees: their side in centimetres of the
# head, and how far their centre is from the face's middle towards the back of the head, over that side.
# Evidence: docs/evidence/pose.md#the-second-crop
BOX_YAWS = (0.0, 10.0, 30.0, 50.0, 67.0, 85.0)
BOX_CENTIMETRES = (14.6, 14.6, 14.6, 14.15, 13.7, 12.7)
BOX_BACK = (0.0, 0.095, 0.188, 0.245, 0.235, 0.225)


@dataclass(frozen=True)
class LearnedPose:
    """PoseNet's results: rotation [n, 3, 3], scale [n] in pixels per cm, and `middle` [n, 2] in pixels: the position of
    the mean of eyes, nose tip and mouth corners, which, unlike the head's centre, hardly depends on the rotation."""

    rotation: NDArray[np.float64]
    scale: NDArray[np.float64]
    middle: NDArray[np.float64]

    def subset(self, which: NDArray[np.int64]) -> LearnedPose:
        """The results for some of the faces, by index."""
        return LearnedPose(self.rotation[which], self.scale[which], self.middle[which])

    def face_px(self) -> NDArray[np.float64]:
        """The sides [n] of `inner_boxes`, pixels: a face's size, which hardly depends on how it is turned."""
        yaw = np.abs(angles_from_matrix(self.rotation)[:, 0])
        return self.scale * np.interp(yaw, BOX_YAWS, BOX_CENTIMETRES)

    def inner_boxes(self) -> NDArray[np.float64]:
        """The squares [n, 4] that BlazeFace would put around the faces, whatever detector found them; pixels."""
        yaw, sides = angles_from_matrix(self.rotation)[:, 0], self.face_px()
        back = np.sign(yaw) * np.interp(np.abs(yaw), BOX_YAWS, BOX_BACK) * sides
        centres = self.middle + np.stack([back, np.zeros_like(back)], 1)
        return np.concatenate([centres - sides[:, None] / 2, centres + sides[:, None] / 2], 1)


def learned_pose(network: PoseModel, pictures: Sequence[NDArray[np.uint8]], boxes: NDArray) -> LearnedPose:
    """PoseNet's results for the faces in boxes [n, 4]; pictures: RGB [h, w, 3], one entry per face.

    It is run on two crops, around the detector's box and around the box that the first answer puts the face in, and
    the answers are averaged: a box that is off by 6% of its side then turns the answer half as much.
    """
    first = from_boxes(network, pictures, boxes)
    second = from_boxes(network, pictures, first.inner_boxes())
    return LearnedPose(
        rotation=mean_rotation(np.stack([first.rotation, second.rotation])),
        scale=np.sqrt(first.scale * second.scale),
        middle=(first.middle + second.middle) / 2,
    )


def from_boxes(network: PoseModel, pictures: Sequence[NDArray[np.uint8]], boxes: NDArray) -> LearnedPose:
    """PoseNet's results from one crop of each face, around its box [4]."""
    boxes = boxes.astype(np.float64)
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(1) * CROP_FACTOR
    crops = [
        warp_crop(picture, crop_transform(centre, side, 0.0, POSE_INPUT), POSE_INPUT)
        for picture, centre, side in zip(pictures, centres, sides, strict=True)
    ]
    rotation, _, positions = (output.astype(np.float64) for output in network(np.stack(crops)))
    scale, middle = np.exp(positions[:, 2]) * sides / 10, centres + positions[:, :2] * sides[:, None]
    return LearnedPose(rotation, scale, middle)
