"""Reads networks as dlib serialises them: layers from input to output, each behind a length-prefixed text tag.

An integer is a control byte (low four bits: byte count, top bit: sign) and little-endian bytes; a tensor is a
version, four dimensions and raw float32.
"""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from lpff_ray.models.networks.openvino_layers import ConvolutionLayer

Values = NDArray[np.float32]
TENSOR_VERSION = 2
MEAN_RGB = (122.782, 117.001, 104.298)  # what dlib's input layers subtract, and divide by
SCALE = 256.0
BATCH_NORM_EPS = 1e-4  # dlib's DEFAULT_BATCH_NORM_EPS


def folded_convolution(layers: Layers) -> ConvolutionLayer:
    """A convolution and the affine or batch normalisation layer behind it, if any, as one."""
    weights, biases, stride, padding = layers.convolution()
    following = layers.next_tag()
    if following == "affine_":
        gammas, betas = layers.affine(len(biases))
    elif following == "bn_con2":
        gammas, betas = layers.batch_norm(len(biases))
    else:
        gammas, betas = np.ones_like(biases), np.zeros_like(biases)
    return ConvolutionLayer(weights * gammas.reshape(-1, 1, 1, 1), biases * gammas + betas, stride, padding)


class Layers:
    """Walks the layers of a serialised network from input to output. ValueError where they do not fit."""

    # Layers without numbers of their own that we need (input, relu, loss) are skipped.
    TAGS = re.compile(rb"\x01(.)(con_4|affine_|bn_con2|max_pool_2|avg_pool_2|fc_2|add_prev_)", re.DOTALL)

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def next_tag(self) -> str:
        """Tag of the next layer, not yet consumed; "" after the last."""
        return self._find_tag()[0] if self.TAGS.search(self._data, self._at) else ""

    def expect(self, tag: str) -> None:
        """Move behind the tag of the next layer, which must be `tag`."""
        found, end = self._find_tag()
        if found != tag:
            raise ValueError(f"layer {found} where {tag} should be")
        self._at = end

    def convolution(self) -> tuple[Values, Values, int, int]:
        """Weights [out, in, h, w], biases [out], stride and padding."""
        self.expect("con_4")
        values = self._tensor()
        out, height, width, stride_y, stride_x, pad_y, pad_x = (self._integer() for _ in range(7))
        if out < 1 or height < 1 or width < 1 or (len(values) - out) % (out * height * width):
            raise ValueError("convolution of impossible size")
        weights, biases = values[:-out].reshape(out, -1, height, width), values[-out:]
        if stride_y != stride_x or pad_y != pad_x:
            raise ValueError("convolution is not the same in rows and columns")
        return weights, biases, stride_y, pad_y

    def affine(self, channels: int) -> tuple[Values, Values]:
        """Factors and offsets, one each per channel."""
        self.expect("affine_")
        values = self._tensor()
        if len(values) != 2 * channels:
            raise ValueError("affine layer of impossible size")
        return values[:channels], values[channels:]

    def batch_norm(self, channels: int) -> tuple[Values, Values]:
        """Factors and offsets, one each per channel, of a trained batch normalisation."""
        self.expect("bn_con2")
        values = self._tensor()
        for _ in range(2):  # where gamma and beta are in `values`: always one after the other
            for _ in range(5):
                self._integer()
        self._tensor(), self._tensor()  # statistics of the last training batch
        mean, variance = self._tensor(), self._tensor()
        if len(values) != 2 * channels or len(mean) != channels or len(variance) != channels:
            raise ValueError("batch normalisation of impossible size")
        gammas = values[:channels] / np.sqrt(variance + BATCH_NORM_EPS)
        return gammas, values[channels:] - mean * gammas

    def pool(self, tag: str) -> tuple[int, int, int]:
        """Kernel, stride and padding of a square pooling; kernel 0: global."""
        self.expect(tag)
        height, width, stride_y, stride_x, pad_y, pad_x = (self._integer() for _ in range(6))
        if height != width or stride_y != stride_x or pad_y != pad_x:
            raise ValueError("pooling is not square")
        return height, stride_y, pad_y

    def projection(self, outputs: int) -> Values:
        """Matrix [in, outputs] of a fully connected layer without biases."""
        self.expect("fc_2")
        out, inputs = self._integer(), self._integer()
        values = self._tensor()
        if out != outputs or len(values) != inputs * out:
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

    def _tensor(self) -> Values:
        if self._integer() != TENSOR_VERSION:
            raise ValueError("unknown tensor version")
        size = math.prod(self._integer() for _ in range(4))
        return np.frombuffer(self._take(4 * size), "<f4").astype(np.float32)
