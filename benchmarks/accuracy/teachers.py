"""Head-pose estimators of others that label faces for training: FSA-Net, 3DDFA_V2 (both MIT, `data/weights`), FaceMesh.

Rotations are head to camera; frames and angles as in `lpff_ray.measure.rotation`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lpff_ray.measure.geometry import crop_transform, sample
from lpff_ray.measure.landmarks import FaceMesh
from lpff_ray.measure.pose import fit_mesh, five_points
from lpff_ray.measure.rotation import matrix_from_angles
from lpff_ray.models.cards import load_cards

MIRROR = np.diag([-1.0, 1.0, 1.0])
FSANET_FACTORS = (
    1.8,
    2.1,
)  # crop sides over the side of BlazeFace's box; of 1.4 to 2.4, best on AFLW2000-3D's 16
DDFA_FACTORS = (1.3, 1.5)
DDFA_SIZE = 120


def mean_rotation(rotations: NDArray) -> NDArray[np.float64]:
    """Chordal mean of rotations [n, ..., 3, 3] over the first axis."""
    u, _, vt = np.linalg.svd(np.asarray(rotations, np.float64).mean(0))
    u[..., 2] *= np.linalg.det(u @ vt)[..., None]
    return u @ vt


class FsaNet:
    """FSA-Net (Yang et al., CVPR 2019): the mean of its two published networks."""

    def __init__(self, folder: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._sessions = [
            onnxruntime.InferenceSession(str(path), options) for path in sorted(folder.glob("*.onnx"))
        ]

    def __call__(self, image: NDArray[np.uint8], centre: NDArray, side: float) -> NDArray[np.float64]:
        """Rotation [3, 3] of the face whose BlazeFace box has this centre and side (pixels) in an RGB image."""
        found = []
        for crop, mirrored in _crops(image, centre, side, FSANET_FACTORS, 64):
            batch = ((crop[..., ::-1].astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]
            for session in self._sessions:
                turn = matrix_from_angles(*session.run(None, {session.get_inputs()[0].name: batch})[0][0])
                found.append(MIRROR @ turn @ MIRROR if mirrored else turn)
        return mean_rotation(np.array(found))


class Ddfa:
    """3DDFA_V2 (Guo et al., ECCV 2020) with its MobileNet of half width: the pose of its morphable model."""

    def __init__(self, folder: Path) -> None:
        stored = torch.load(folder / "mb05_120x120.pth", map_location="cpu", weights_only=True)["state_dict"]
        self._network = _MobileNet({name.removeprefix("module."): value for name, value in stored.items()})
        scale = np.load(folder / "param_mean_std_62d_120x120.npz")
        self._mean, self._std = scale["mean"][:12], scale["std"][:12]

    @torch.inference_mode()
    def __call__(self, image: NDArray[np.uint8], centre: NDArray, side: float) -> NDArray[np.float64]:
        """Rotation [3, 3] of the face whose BlazeFace box has this centre and side (pixels) in an RGB image."""
        crops = _crops(image, centre, side, DDFA_FACTORS, DDFA_SIZE)
        batch = np.stack([(crop[..., ::-1].astype(np.float32) - 127.5) / 128 for crop, _ in crops])
        poses = self._network(torch.from_numpy(batch).permute(0, 3, 1, 2))[:, :12].numpy()
        affine = (poses * self._std + self._mean).reshape(-1, 3, 4)[:, :, :3]
        found = []
        for rows, (_, mirrored) in zip(affine, crops, strict=True):
            first, second = (row / np.linalg.norm(row) for row in rows[:2])
            turn = mean_rotation(np.stack([first, second, np.cross(first, second)])[None])
            turn = np.diag([1.0, -1, -1]) @ turn @ np.diag([1.0, -1, -1])  # from y up, z towards the camera
            found.append(MIRROR @ turn @ MIRROR if mirrored else turn)
        return mean_rotation(np.array(found))


class FaceMeshFit:
    """The product's own rigid fit of FaceMesh's points: better than the others in pitch, worthless at profile."""

    def __init__(self) -> None:
        self._mesh = FaceMesh(load_cards()["facemesh"].path(), "cpu")

    def __call__(self, image: NDArray[np.uint8], centre: NDArray, side: float) -> NDArray[np.float64]:
        """Rotation [3, 3] of the face whose BlazeFace box has this centre and side (pixels) in an RGB image."""
        box = np.concatenate([centre - side / 2, centre + side / 2])
        keypoints = np.tile(centre, (6, 1))
        keypoints[1, 0] += 1  # eyes that are level, until the first look shows how they are
        for _ in range(2):
            points = self._mesh([image], box[None], keypoints[None]).points
            keypoints[:2] = five_points(points)[0, :2, :2]
        return fit_mesh(points).rotation[0]


class _MobileNet(nn.Module):
    """MobileNetV1 as 3DDFA_V2 stores it: a stem, 13 depthwise-separable blocks, an average, one linear layer."""

    STRIDE_2 = ("dw2_2", "dw3_2", "dw4_2", "dw5_6")

    def __init__(self, stored: dict[str, Tensor]) -> None:
        super().__init__()
        self._stored = stored
        self._blocks = [name[:-15] for name in stored if name.endswith(".conv_dw.weight")]

    def forward(self, x: Tensor) -> Tensor:
        x = self._convolution(x, "conv1", "bn1", 2)
        for block in self._blocks:
            stride = 2 if block in self.STRIDE_2 else 1
            x = self._convolution(x, f"{block}.conv_dw", f"{block}.bn_dw", stride)
            x = self._convolution(x, f"{block}.conv_sep", f"{block}.bn_sep", 1)
        stored = self._stored
        return nn.functional.linear(x.mean((2, 3)), stored["fc_param.weight"], stored["fc_param.bias"])

    def _convolution(self, x: Tensor, name: str, norm: str, stride: int) -> Tensor:
        weight, stored = self._stored[f"{name}.weight"], self._stored
        x = nn.functional.conv2d(
            x, weight, None, stride, weight.shape[-1] // 2, groups=x.shape[1] // weight.shape[1]
        )
        mean, variance = stored[f"{norm}.running_mean"], stored[f"{norm}.running_var"]
        scale, shift = stored[f"{norm}.weight"], stored[f"{norm}.bias"]
        return nn.functional.batch_norm(x, mean, variance, scale, shift).relu()


def _crops(
    image: NDArray[np.uint8], centre: NDArray, side: float, factors: tuple[float, ...], size: int
) -> list[tuple[NDArray[np.uint8], bool]]:
    """Square crops of several sides and their mirror images, which are marked True."""
    crops = [sample(image, crop_transform(centre, side * factor, 0.0, size), size) for factor in factors]
    return [(crop, False) for crop in crops] + [(crop[:, ::-1], True) for crop in crops]
