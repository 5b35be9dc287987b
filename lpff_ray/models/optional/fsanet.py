"""FSA-Net head pose (Yang et al., CVPR 2019): two published networks, used as their mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lpff_ray.models.optional.checkpoint import check_crops
from lpff_ray.models.optional.onnx_file import OnnxFile


class FsaNet:
    """Both networks on batches of crops of any length."""

    side = 64

    def __init__(self, paths: Sequence[Path], device: str) -> None:
        """Raises UserError if a file can not be used."""
        self._files = [OnnxFile(path, device, (3, self.side, self.side)) for path in paths]

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [n, 64, 64, 3] RGB -> yaw, pitch, roll in degrees, 300W-LP's, float32 [n, networks, 3]."""
        check_crops(crops, self.side)
        images = ((crops[..., ::-1].astype(np.float32) - 127.5) / 128).transpose(0, 3, 1, 2)
        return np.stack([next(iter(file(images).values())) for file in self._files], axis=1)
