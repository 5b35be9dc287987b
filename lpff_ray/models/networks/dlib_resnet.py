"""dlib's face recognition ResNet, read from its own .dat file into torch. dlib is not needed.

The file is dlib's serialisation of `anet_type` (dnn_face_recognition_ex.cpp).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from lpff_ray.errors import UserError
from lpff_ray.models.networks.dlib_layers import MEAN_RGB, SCALE, Layers, folded_convolution

EMBEDDING_SIZE = 128
CHIP_SIZE = 150


class DlibResNet(nn.Module):
    """Face embedding: 150 x 150 pixels to 128 numbers; the same person lies within about 0.6 (Euclidean)."""

    def __init__(self, path: Path) -> None:
        """Raises UserError if the file is missing or is not this network."""
        super().__init__()
        try:
            layers = Layers(path.read_bytes())
            self.stem = folded_convolution(layers)
            self.stem_pool = layers.pool("max_pool_2")
            self.blocks = nn.ModuleList()
            while layers.next_tag() == "con_4":
                self.blocks.append(_Block(layers))
            if layers.pool("avg_pool_2")[0] != 0:
                raise ValueError("the last pooling is not global")
            self.register_buffer("projection", layers.projection(EMBEDDING_SIZE))
        except OSError as error:
            raise UserError(f"{path}: can not be read: {error.strerror}") from None
        except ValueError as error:
            raise UserError(
                f"{path}: not dlib's face recognition ResNet, or damaged ({error}): "
                "pip install --force-reinstall face_recognition_models"
            ) from None
        self.register_buffer("mean", torch.tensor(MEAN_RGB).reshape(1, 3, 1, 1))
        self.projection: Tensor
        self.mean: Tensor
        self.requires_grad_(False)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """float32 [n, 3, 150, 150], RGB 0..255 -> [n, 128], as dlib gives it (not of unit length)."""
        x = self.stem((x - self.mean) / SCALE).relu()
        kernel, stride, padding = self.stem_pool
        x = functional.max_pool2d(x, kernel, stride, padding)
        for block in self.blocks:
            x = block(x)
        return x.mean(dim=(2, 3)) @ self.projection


class _Block(nn.Module):
    """Two convolutions beside a shortcut, which is a 2 x 2 average where the first of them down-samples."""

    def __init__(self, layers: Layers) -> None:
        super().__init__()
        self.first = folded_convolution(layers)
        self.second = folded_convolution(layers)
        self.shortcut_pool: tuple[int, int, int] | None = None
        if layers.next_tag() == "avg_pool_2":
            self.shortcut_pool = layers.pool("avg_pool_2")
        layers.expect("add_prev_")

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x).relu())
        if self.shortcut_pool is None:
            return (x + y).relu()
        shortcut = functional.avg_pool2d(x, *self.shortcut_pool)
        # dlib adds tensors of different sizes as if the missing channels, rows and columns were zero.
        shape = [max(a, b) for a, b in zip(shortcut.shape, y.shape, strict=True)]
        return (_zero_padded(shortcut, shape) + _zero_padded(y, shape)).relu()


def _zero_padded(x: Tensor, shape: list[int]) -> Tensor:
    _, channels, rows, columns = (want - have for want, have in zip(shape, x.shape, strict=True))
    return functional.pad(x, (0, columns, 0, rows, 0, channels)) if channels or rows or columns else x
