"""YuNet face detector (Wu et al., 2023), exported for one picture of 640 x 640 pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lpff_ray.models.optional.checkpoint import check_crops
from lpff_ray.models.optional.onnx_file import OnnxFile

SIDE = 640
STRIDES = (8, 16, 32)


class YuNet:
    """Boxes, five points and scores of all cells that find a face, before non-maximum suppression."""

    def __init__(self, path: Path, device: str) -> None:
        """Raises UserError if the file can not be used."""
        self._file = OnnxFile(path, device, (3, SIDE, SIDE))

    def __call__(self, pictures: NDArray[np.uint8], threshold: float) -> list[NDArray[np.float64]]:
        """uint8 [n, 640, 640, 3] RGB -> per picture rows [k, 15]: box, five points (eyes, nose tip, mouth corners, the
        subject's right first), all in pixels, and a score of at least `threshold`, 0..1.

        Source of the decoding: OpenCV's FaceDetectorYN.
        """
        check_crops(pictures, SIDE)
        out = self._file(pictures[..., ::-1].astype(np.float32).transpose(0, 3, 1, 2))
        found = []
        for number in range(len(pictures)):
            rows = [
                _decode({k: out[f"{k}_{s}"][number] for k in ("cls", "obj", "bbox", "kps")}, s)
                for s in STRIDES
            ]
            every = np.concatenate(rows)
            found.append(every[every[:, 14] >= threshold])
        return found


def _decode(raw: dict[str, NDArray], stride: int) -> NDArray[np.float64]:
    y, x = np.divmod(np.arange((SIDE // stride) ** 2), SIDE // stride)
    cell = np.stack([x, y], -1).astype(np.float64)
    centre = (cell + raw["bbox"][:, :2]) * stride
    half = np.exp(raw["bbox"][:, 2:].astype(np.float64)) * stride / 2
    points = (cell[:, None] + raw["kps"].reshape(-1, 5, 2)) * stride
    score = np.sqrt(np.clip(raw["cls"], 0, 1) * np.clip(raw["obj"], 0, 1)).astype(np.float64)
    return np.concatenate([centre - half, centre + half, points.reshape(-1, 10), score], axis=1)
