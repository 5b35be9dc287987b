"""Layers as OpenVINO operations, for the networks that OpenVINO runs on the CPU.

Its own conversion of torch modules gives the same graphs, but takes seconds of every start, as torch itself does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpff_ray.models.openvino_core import openvino


def operations() -> Any:
    """OpenVINO's operations."""
    openvino()
    from openvino import opset13

    return opset13


def pictures(batch: int, side: int) -> tuple[Any, Any]:
    """The input, uint8 RGB [batch, side, side, 3], and it as float32 [batch, 3, side, side], 0..255."""
    ov, op = openvino(), operations()
    parameter = op.parameter([batch, side, side, 3], ov.Type.u8, name="pictures")
    planes = op.transpose(parameter, constant(np.array([0, 3, 1, 2], np.int64)))
    return parameter, op.convert(planes, "f32")


def constant(values: NDArray) -> Any:
    """A constant of the values' own type."""
    return operations().constant(np.array(values, order="C"))


def per_channel(values: NDArray) -> Any:
    """Values [channels] as a constant that is broadcast over [n, channels, h, w]."""
    return constant(values.reshape(1, -1, 1, 1).astype(np.float32))


@dataclass(frozen=True)
class ConvolutionLayer:
    """A convolution's weights [out, in / groups, h, w], biases [out], stride and padding (of all sides), groups."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    stride: int = 1
    padding: int = 0
    groups: int = 1


def convolution(x: Any, layer: ConvolutionLayer, more: Sequence[int] = (0, 0)) -> Any:
    """more: rows below and columns on the right that are added to the layer's own padding."""
    op, weight = operations(), layer.weight
    begin = [layer.padding] * 2
    end = [layer.padding + one for one in more]
    strides, dilations = [layer.stride] * 2, [1, 1]
    if layer.groups == 1:
        y = op.convolution(x, constant(weight), strides, begin, end, dilations)
    else:
        out, *rest = weight.shape
        grouped = weight.reshape(layer.groups, out // layer.groups, *rest)
        y = op.group_convolution(x, constant(grouped), strides, begin, end, dilations)
    return op.add(y, per_channel(layer.bias))


def maximum(x: Any, kernel: int, stride: int, padding: int = 0) -> Any:
    """functional.max_pool2d."""
    sides = [padding, padding]
    return operations().max_pool(x, [stride] * 2, [1, 1], sides, sides, [kernel] * 2).output(0)


def average(x: Any, kernel: int, stride: int, padding: int) -> Any:
    """functional.avg_pool2d; zeros of the padding count."""
    sides = [padding, padding]
    return operations().avg_pool(x, [stride] * 2, sides, sides, [kernel] * 2, exclude_pad=False)


def zero_padded(x: Any, channels: int, rows: int, columns: int) -> Any:
    """So many more channels, rows below and columns on the right, all zero."""
    if not (channels or rows or columns):
        return x
    end = constant(np.array([0, channels, rows, columns], np.int64))
    return operations().pad(
        x, constant(np.zeros(4, np.int64)), end, "constant", constant(np.float32(0).reshape(()))
    )


def sides(x: Any) -> list[int]:
    """Channels, rows and columns of a node's output."""
    output = x.output(0) if hasattr(x, "output") else x
    return [int(side) for side in output.get_shape()][1:]


def model(output: Any, parameter: Any) -> Any:
    """The openvino.Model of a graph with one input and one output."""
    return openvino().Model([output], [parameter])
