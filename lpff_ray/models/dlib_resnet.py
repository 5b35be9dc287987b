"""dlib's face recognition ResNet, read from its own .dat file into torch. dlib is not needed.

The file is dlib's serialisation of `anet_type` (dnn_face_recognition_ex.cpp): layers from input to output,
each behind a length-prefixed text tag. An integer is a control byte (low four bits: byte count, top bit:
sign) and little-endian bytes; a tensor is a version, four dimensions and raw float32.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lpff_ray.errors import UserError

EMBEDDING_SIZE = 128
CHIP_SIZE = 150
MEAN_RGB = (122.782, 117.001, 104.298)
SCALE = 256.0
TENSOR_VERSION = 2


class DlibResNet(nn.Module):
    """Face embedding: 150 x 150 pixels to 128 numbers; the same person lies within about 0.6 (Euclidean)."""

    def __init__(self, path: Path) -> None:
        """Raises UserError if the file is missing or is not this network."""
        super().__init__()
        try:
            layers = _Reader(path.read_bytes())
            self.stem = _convolution(layers)
            self.stem_pool = layers.pool("max_pool_2")
            self.blocks = nn.ModuleList()
            while layers.next_tag() == "con_4":
                self.blocks.append(_Block(layers))
            if layers.pool("avg_pool_2")[0] != 0:
                raise ValueError("the last pooling is not global")
            self.register_buffer("projection", layers.projection())
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

    def __init__(self, layers: _Reader) -> None:
        super().__init__()
        self.first = _convolution(layers)
        self.second = _convolution(layers)
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


def _convolution(layers: _Reader) -> nn.Conv2d:
    """A convolution and the affine layer behind it (dlib's frozen batch normalisation), folded into one."""
    weights, biases, stride, padding = layers.convolution()
    gammas, betas = layers.affine(len(biases))
    out, channels, height, width = weights.shape
    module = nn.Conv2d(channels, out, (height, width), stride, padding)
    module.weight.data = weights * gammas.reshape(-1, 1, 1, 1)
    module.bias = nn.Parameter(biases * gammas + betas)
    return module


class _Reader:
    """Walks the layers of a serialised network from input to output. ValueError where they do not fit."""

    # Layers without numbers of their own that we need (input, relu, loss) are skipped.
    TAGS = re.compile(rb"\x01(.)(con_4|affine_|max_pool_2|avg_pool_2|fc_2|add_prev_)", re.DOTALL)

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def next_tag(self) -> str:
        """Tag of the next layer, not yet consumed."""
        return self._find_tag()[0]

    def expect(self, tag: str) -> None:
        """Move behind the tag of the next layer, which must be `tag`."""
        found, end = self._find_tag()
        if found != tag:
            raise ValueError(f"layer {found} where {tag} should be")
        self._at = end

    def convolution(self) -> tuple[Tensor, Tensor, tuple[int, int], tuple[int, int]]:
        """Weights [out, in, h, w], biases [out], stride and padding (rows, columns)."""
        self.expect("con_4")
        values = self._tensor()
        out, height, width, stride_y, stride_x, pad_y, pad_x = (self._integer() for _ in range(7))
        if out < 1 or height < 1 or width < 1 or (len(values) - out) % (out * height * width):
            raise ValueError("convolution of impossible size")
        weights, biases = values[:-out].reshape(out, -1, height, width), values[-out:]
        return weights, biases, (stride_y, stride_x), (pad_y, pad_x)

    def affine(self, channels: int) -> tuple[Tensor, Tensor]:
        """Factors and offsets, one each per channel."""
        self.expect("affine_")
        values = self._tensor()
        if len(values) != 2 * channels:
            raise ValueError("affine layer of impossible size")
        return values[:channels], values[channels:]

    def pool(self, tag: str) -> tuple[int, int, int]:
        """Kernel, stride and padding of a square pooling; kernel 0: global."""
        self.expect(tag)
        height, width, stride_y, stride_x, pad_y, pad_x = (self._integer() for _ in range(6))
        if height != width or stride_y != stride_x or pad_y != pad_x:
            raise ValueError("pooling is not square")
        return height, stride_y, pad_y

    def projection(self) -> Tensor:
        """Matrix [in, 128] of the last, fully connected layer."""
        self.expect("fc_2")
        out, inputs = self._integer(), self._integer()
        values = self._tensor()
        if out != EMBEDDING_SIZE or len(values) != inputs * out:
            raise ValueError("last layer of impossible size")
        return values.reshape(inputs, out)

    def _find_tag(self) -> tuple[str, int]:
        match = self.TAGS.search(self._data, self._at)
        if match is None or match[1][0] != len(match[2]):
            raise ValueError("layers are missing")
        return match[2].decode(), match.end()

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise ValueError("file ends early")
        self._at += count
        return taken

    def _integer(self) -> int:
        control = self._take(1)[0]
        value = int.from_bytes(self._take(control & 0x0F), "little")
        return -value if control & 0x80 else value

    def _tensor(self) -> Tensor:
        if self._integer() != TENSOR_VERSION:
            raise ValueError("unknown tensor version")
        size = math.prod(self._integer() for _ in range(4))
        return torch.from_numpy(np.frombuffer(self._take(4 * size), "<f4").astype(np.float32))
