"""ArcFace embeddings: insightface's iresnet checkpoints on torch, its ONNX files on onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lpff_ray.errors import UserError
from lpff_ray.models.optional.checkpoint import CheckpointNetwork, check_crops
from lpff_ray.models.optional.onnx_file import OnnxFile

SIDE = 112


class IResNet(CheckpointNetwork):
    """insightface's improved ResNet (arcface_torch, `backbones/iresnet.py`) of any depth, which the file determines."""

    name = "an iresnet"
    side = SIDE

    def forward(self, x: Tensor) -> Tensor:
        """float32 [n, 3, 112, 112], RGB 0..255 -> [n, width] of unit length."""
        weights = self.weights
        x = weights.convolution((x - 127.5) / 127.5, "conv1")
        x = weights.prelu(weights.norm(x, "bn1"), "prelu")
        for stage in range(1, 5):
            for block in range(weights.count(f"layer{stage}")):
                x = self._block(x, f"layer{stage}.{block}", 1 if block else 2)
        x = weights.linear(weights.norm(x, "bn2").flatten(1), "fc")
        return functional.normalize(weights.norm(x, "features"))

    def _block(self, x: Tensor, name: str, stride: int) -> Tensor:
        weights = self.weights
        y = weights.convolution(weights.norm(x, f"{name}.bn1"), f"{name}.conv1")
        y = weights.prelu(weights.norm(y, f"{name}.bn2"), f"{name}.prelu")
        y = weights.norm(weights.convolution(y, f"{name}.conv2", stride), f"{name}.bn3")
        if f"{name}.downsample.0.weight" in weights:
            x = weights.norm(weights.convolution(x, f"{name}.downsample.0", stride), f"{name}.downsample.1")
        return x + y


class ArcFaceOnnx:
    """An ArcFace network exported to ONNX."""

    side = SIDE

    def __init__(self, path: Path, device: str) -> None:
        """Raises UserError if the file can not be used."""
        self._file = OnnxFile(path, device, (3, SIDE, SIDE))

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [n, 112, 112, 3] RGB, aligned -> float32 [n, width] of unit length."""
        check_crops(crops, SIDE)
        images = ((crops.astype(np.float32) - 127.5) / 127.5).transpose(0, 3, 1, 2)
        found = next(iter(self._file(images).values()))
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def load_arcface(path: Path, device: str, width: int) -> IResNet | ArcFaceOnnx:
    """The network of a `.onnx` file or an iresnet checkpoint.

    Raises UserError if it can not be used or its embeddings have another width than the table's column would.
    """
    network = ArcFaceOnnx(path, device) if path.suffix == ".onnx" else IResNet(path, device)
    found = network(np.zeros((1, SIDE, SIDE, 3), np.uint8)).shape
    if found != (1, width):
        raise UserError(f"{path}: gives {list(found[1:])} numbers per face, not {width} as on its card")
    return network
