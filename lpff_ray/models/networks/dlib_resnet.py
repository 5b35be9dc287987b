"""dlib's face recognition ResNet, read from its own .dat file. dlib is not needed.

The file is dlib's serialisation of `anet_type` (dnn_face_recognition_ex.cpp). OpenVINO runs the network on the CPU;
`torch_dlib` has the same one for a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lpff_ray.errors import UserError
from lpff_ray.models.networks import openvino_layers as layers
from lpff_ray.models.networks.dlib_layers import MEAN_RGB, SCALE, Layers, folded_convolution

EMBEDDING_SIZE = 128
CHIP_SIZE = 150


@dataclass(frozen=True)
class ResNetBlock:
    """Two convolutions beside a shortcut, which is a 2 x 2 average where the first of them down-samples.

    shortcut_pool: kernel, stride and padding of that average.
    """

    first: layers.ConvolutionLayer
    second: layers.ConvolutionLayer
    shortcut_pool: tuple[int, int, int] | None


class DlibResNet:
    """Face embedding: 150 x 150 pixels to 128 numbers; the same person lies within about 0.6 (Euclidean).

    stem, stem_pool (kernel, stride, padding of a maximum), blocks, projection [channels, 128]: its layers in order,
    a mean over all pixels before the last.
    """

    def __init__(self, path: Path) -> None:
        """Raises UserError if the file is missing or is not this network."""
        try:
            stored = Layers(path.read_bytes())
            self.stem = folded_convolution(stored)
            self.stem_pool = stored.pool("max_pool_2")
            self.blocks: list[ResNetBlock] = []
            while stored.next_tag() == "con_4":
                self.blocks.append(_block(stored))
            if stored.pool("avg_pool_2")[0] != 0:
                raise ValueError("the last pooling is not global")
            self.projection = stored.projection(EMBEDDING_SIZE)
        except OSError as error:
            raise UserError(f"{path}: can not be read: {error.strerror}") from None
        except ValueError as error:
            raise UserError(
                f"{path}: not dlib's face recognition ResNet, or damaged ({error}): "
                "pip install --force-reinstall face_recognition_models"
            ) from None

    def openvino_model(self, batch: int) -> Any:
        """The openvino.Model: uint8 [batch, 150, 150, 3] RGB -> [batch, 128], as dlib gives it (not of unit length)."""
        op = layers.operations()
        parameter, x = layers.pictures(batch, CHIP_SIZE)
        x = op.subtract(x, layers.per_channel(np.array(MEAN_RGB)))
        x = op.multiply(x, layers.constant(np.array(1 / SCALE, np.float32)))
        x = layers.maximum(op.relu(layers.convolution(x, self.stem)), *self.stem_pool)
        for block in self.blocks:
            x = _node(block, x)
        x = op.reduce_mean(x, layers.constant(np.array([2, 3], np.int64)), False)
        return layers.model(op.matmul(x, layers.constant(self.projection), False, False), parameter)


def _block(stored: Layers) -> ResNetBlock:
    first, second = folded_convolution(stored), folded_convolution(stored)
    shortcut = stored.pool("avg_pool_2") if stored.next_tag() == "avg_pool_2" else None
    stored.expect("add_prev_")
    return ResNetBlock(first, second, shortcut)


def _node(block: ResNetBlock, x: Any) -> Any:
    op = layers.operations()
    y = layers.convolution(op.relu(layers.convolution(x, block.first)), block.second)
    if block.shortcut_pool is None:
        return op.relu(op.add(x, y))
    shortcut = layers.average(x, *block.shortcut_pool)
    # dlib adds tensors of different sizes as if the missing channels, rows and columns were zero.
    sides = np.array([layers.sides(shortcut), layers.sides(y)])
    of_shortcut, of_y = (sides.max(0) - sides).tolist()
    return op.relu(op.add(layers.zero_padded(shortcut, *of_shortcut), layers.zero_padded(y, *of_y)))
