"""Optional pose estimators: they vote on the pose bins beside the built-in ones, and never change the pose itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.rotation import matrix_from_angles, mean_rotation
from lpff_ray.geometry.transforms import crop_transform, warp_crop
from lpff_ray.models.optional.ddfa import Ddfa
from lpff_ray.models.optional.fsanet import FsaNet
from lpff_ray.models.optional.sixdrepnet import SixDRepNet
from lpff_ray.models.optional.synergynet import SynergyNet
from lpff_ray.models.store import plugin, plugin_files

MIRROR = np.diag([-1.0, 1.0, 1.0])
Y_UP = np.diag([1.0, -1.0, -1.0])  # to and from frames with y up and z towards the camera
# Sides of the crops over the longer side of BlazeFace's box.
# Evidence: docs/evidence/pose.md#crops-of-optional-estimators
FSANET_FACTORS = (1.8, 2.1)
DDFA_FACTORS = (1.3, 1.5)
# As 3DDFA_V2's, whose training crops SynergyNet shares: not measured, as its weights are not at hand here.
SYNERGYNET_FACTORS = DDFA_FACTORS
SIXDREPNET_FACTORS = (1.5, 1.8)


class PoseVoter:
    """A pose estimator, run on several crops of a face and their mirror images; its vote is the mean rotation."""

    def __init__(
        self,
        network: Callable[[NDArray[np.uint8]], NDArray],
        side: int,
        factors: tuple[float, ...],
        to_rotations: Callable[[NDArray], NDArray],
    ) -> None:
        """network: crops uint8 [n, side, side, 3] RGB -> its output for each.

        factors: sides of the crops over the box's. to_rotations: the network's output -> rotations [n, k, 3, 3], head
        to camera as in `geometry.rotation`, k of them per crop.
        """
        self._network, self._side, self._factors = network, side, factors
        self._to_rotations = to_rotations

    def __call__(self, pictures: Sequence[NDArray[np.uint8]], boxes: NDArray) -> NDArray[np.float64]:
        """Rotations [n, 3, 3] of the faces in BlazeFace's boxes [n, 4] (x0, y0, x1, y1, pixels).

        pictures: RGB [h, w, 3], one entry per face.
        """
        votes = []
        for factor in self._factors:
            crops = np.stack([self._crop(*face, factor) for face in zip(pictures, boxes, strict=True)])
            votes.append(self._estimate(crops))
            votes.append(MIRROR @ self._estimate(np.ascontiguousarray(crops[:, :, ::-1])) @ MIRROR)
        return mean_rotation(np.concatenate(votes, axis=1).swapaxes(0, 1))

    def _estimate(self, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        return self._to_rotations(self._network(crops).astype(np.float64))

    def _crop(self, picture: NDArray[np.uint8], box: NDArray, factor: float) -> NDArray[np.uint8]:
        side = float(max(box[2] - box[0], box[3] - box[1])) * factor
        return warp_crop(picture, crop_transform((box[:2] + box[2:]) / 2, side, 0.0, self._side), self._side)


def load_fsanet(device: str, paths: Sequence[Path] | None = None) -> PoseVoter:
    """FSA-Net. paths: its files, None for the model store's. Raises UserError if one can not be used."""
    network = FsaNet(paths or plugin_files(plugin("fsanet")), device)
    return PoseVoter(network, FsaNet.side, FSANET_FACTORS, _rotations_of_fsanet)


def load_ddfa(device: str, paths: Sequence[Path] | None = None) -> PoseVoter:
    """3DDFA_V2. paths: its file, None for the model store's. Raises UserError if it can not be used."""
    network = Ddfa((paths or plugin_files(plugin("3ddfa_v2")))[0], device)
    return PoseVoter(network, Ddfa.side, DDFA_FACTORS, _rotations_of_ddfa)


def load_synergynet(device: str, paths: Sequence[Path] | None = None) -> PoseVoter:
    """SynergyNet. paths: its file, None for the model store's. Raises UserError if it can not be used."""
    network = SynergyNet((paths or plugin_files(plugin("synergynet")))[0], device)
    return PoseVoter(network, SynergyNet.side, SYNERGYNET_FACTORS, _rotations_of_ddfa)


def load_sixdrepnet(device: str, paths: Sequence[Path] | None = None) -> PoseVoter:
    """6DRepNet. paths: its file, None for the model store's. Raises UserError if it can not be used."""
    network = SixDRepNet((paths or plugin_files(plugin("6drepnet")))[0], device)
    return PoseVoter(network, SixDRepNet.side, SIXDREPNET_FACTORS, _rotations_of_6drepnet)


def _rotations_of_fsanet(angles: NDArray) -> NDArray[np.float64]:
    """From yaw, pitch, roll in degrees [n, networks, 3]."""
    return matrix_from_angles(*np.moveaxis(angles, -1, 0))


def _rotations_of_ddfa(affine: NDArray) -> NDArray[np.float64]:
    """From scaled rotations with translations [n, 3, 4]: the first two rows, made orthonormal."""
    first, second = (affine[:, row, :3] for row in (0, 1))
    first, second = (row / np.linalg.norm(row, axis=1, keepdims=True) for row in (first, second))
    nearly = np.stack([first, second, np.cross(first, second)], axis=1)
    return (Y_UP @ mean_rotation(nearly[None]) @ Y_UP)[:, None]


def _rotations_of_6drepnet(rotations: NDArray) -> NDArray[np.float64]:
    """From Rz(roll) Ry(yaw) Rx(pitch), all right-handed [n, 3, 3].

    Its transpose, seen in frames with y down and z away, is Rx(-pitch) Ry(yaw) Rz(roll), as ours.
    """
    return (Y_UP @ rotations.swapaxes(-1, -2) @ Y_UP)[:, None]
