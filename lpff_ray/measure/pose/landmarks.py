"""Face landmarks: FaceMesh's 468 surface points of every face, and its confidence that there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.transforms import apply, crop_transform, invert, scale_of, warp_crop
from lpff_ray.models.runtimes import TfliteModel

INPUT = 192
# Side of the crop over that of BlazeFace's box (mediapipe's face_landmark_front graph).
REGION = 1.5

# The 68-point scheme of iBUG 300-W on FaceMesh's topology, in its order: jaw from the subject's right ear, brows,
# nose, eyes, outer and inner lips. The two schemes name the same anatomical points; the jaw follows FaceMesh's oval.
SCHEME_68 = np.array(
    [
        *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),  # jaw
        *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),  # brows
        *(168, 197, 5, 4, 75, 97, 2, 326, 305),  # nose
        *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
        *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # outer lips
        *(78, 82, 13, 312, 308, 317, 14, 87),  # inner lips
    ]
)


@dataclass(frozen=True)
class Meshes:
    """FaceMesh's results for n faces.

    points: float64 [n, 468, 3], x and y in frame pixels, z in pixels (smaller is nearer to the camera).
    presence: float64 [n], FaceMesh's raw presence logit: about 20 for a frontal face, about 2 at profile.
    """

    points: NDArray[np.float64]
    presence: NDArray[np.float64]


class FaceMesh:
    """Finds the landmarks of detected faces. Threads may share one."""

    def __init__(self, model_path: Path, device: str) -> None:
        """device: "cpu", "cuda" or "cuda:N". Raises UserError if the file can not be used, or the device is absent."""
        self.model = TfliteModel(model_path, device)

    def __call__(self, frames: Sequence[NDArray[np.uint8]], boxes: NDArray, upright: NDArray) -> Meshes:
        """frames: RGB [h, w, 3], one entry per face. boxes: [n, 4], BlazeFace's, in frame pixels.

        upright: by how much each face is turned in the picture [n], radians (`geometry.rotation.upright_angle`).
        """
        if not len(boxes):
            return Meshes(np.zeros((0, 468, 3)), np.zeros(0))
        transforms = [region(box, float(angle)) for box, angle in zip(boxes, upright, strict=True)]
        crops = np.stack([warp_crop(f, t, INPUT) for f, t in zip(frames, transforms, strict=True)])
        outputs = self.model(crops.astype(np.float32) / 255.0)
        raw, presence = sorted(outputs, key=lambda output: -output[0].size)
        points = raw.reshape(-1, 468, 3).astype(np.float64)
        for face, transform in zip(points, transforms, strict=True):
            face[:, :2] = apply(invert(transform), face[:, :2])
            face[:, 2] /= scale_of(transform)
        return Meshes(points, presence.reshape(-1).astype(np.float64))


def region(box: NDArray, upright: float) -> NDArray[np.float64]:
    """Transform of the crop that FaceMesh expects: square, around the box [4], the face upright."""
    side = max(box[2] - box[0], box[3] - box[1]) * REGION
    return crop_transform((box[:2] + box[2:]) / 2, side, upright, INPUT)
