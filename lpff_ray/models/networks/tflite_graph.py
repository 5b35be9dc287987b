"""A .tflite graph as a torch module: the file's weights, on any device and in any batch."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tflite
import torch
from torch import Tensor, nn

from lpff_ray.errors import UserError
from lpff_ray.models.networks import tflite_attention as attention
from lpff_ray.models.networks import tflite_layers as layers
from lpff_ray.models.networks.tflite_file import Operator, TfliteFile, Unsupported

# What reading a damaged flatbuffer was seen to raise: offsets and counts in it can become anything.
DAMAGE = (struct.error, ValueError, IndexError, KeyError, TypeError, AttributeError, RuntimeError)


class TfliteGraph(nn.Module):
    """The graph of one .tflite file, with its weights as buffers.

    input_size: (height, width) that the file was made for. Other sizes work where the graph is fully
    convolutional: a RESHAPE to [1, anchors, numbers] is taken as [n, -1, numbers], a resize as its scale.
    """

    def __init__(self, path: Path) -> None:
        """Raises UserError if the file is missing or damaged, or has an operator that is not supported."""
        super().__init__()
        try:
            file = TfliteFile(path.read_bytes())
            _, height, width, _ = file.shape(file.input)
            self._operators, self._wires = _read(file)
        except OSError as error:
            raise UserError(f"{path}: can not be read: {error.strerror}") from None
        except Unsupported as error:
            raise UserError(f"{path}: not supported: {error}") from None
        except DAMAGE as error:
            raise UserError(f"{path}: not a .tflite model, or damaged: install its package again") from error
        self._input, self._outputs = file.input, file.outputs
        self.input_size = (height, width)
        self.eval()

    def forward(self, x: Tensor) -> list[Tensor]:
        """float32 [n, h, w, c] -> the outputs in the file's order, shaped as there but with n in front."""
        values = {self._input: x.permute(0, 3, 1, 2).contiguous()}
        for operator, wires in zip(self._operators, self._wires, strict=True):
            result = operator(*(values[tensor] for tensor in wires.inputs))
            values[wires.output] = result.relu() if wires.relu else result
            for tensor in wires.last_read:  # a large batch would not fit with all its values alive
                del values[tensor]
        outputs = (values[tensor] for tensor in self._outputs)
        return [value.permute(0, 2, 3, 1) if value.ndim == 4 else value for value in outputs]


@dataclass
class _Wires:
    """What one operator reads (`last_read`: no later one does) and writes; relu: fused behind it."""

    inputs: tuple[int, ...]
    output: int
    relu: bool
    last_read: set[int] = field(default_factory=set)


def _read(file: TfliteFile) -> tuple[nn.ModuleList, list[_Wires]]:
    modules, wiring = nn.ModuleList(), []
    known = {file.input}
    for operator in file.operators():
        modules.append(_module(file, operator))
        inputs = tuple(tensor for tensor in operator.inputs if not file.is_constant(tensor))
        wiring.append(_Wires(inputs, operator.output, _fused_relu(operator)))
        if not known.issuperset(inputs):
            raise ValueError(f"operator {operator.name} reads what nothing has written")
        known.add(operator.output)
    needed = set(file.outputs)
    if not known.issuperset(needed):
        raise ValueError("an output is never written")
    for wires in reversed(wiring):
        wires.last_read = set(wires.inputs) - needed
        needed.update(wires.inputs)
    return modules, wiring


def _module(file: TfliteFile, operator: Operator) -> nn.Module:
    options, inputs = operator.options, operator.inputs
    match operator.name:
        case "CONV_2D":
            weight = _tensor(file, inputs[1]).permute(0, 3, 1, 2)  # from [out, h, w, in]
            return layers.Convolution(weight, _tensor(file, inputs[2]), *_stride_and_same(operator))
        case "DEPTHWISE_CONV_2D":
            weight = _tensor(file, inputs[1]).permute(3, 0, 1, 2)  # from [1, h, w, out]
            groups = file.shape(inputs[0])[3]
            return layers.Convolution(weight, _tensor(file, inputs[2]), *_stride_and_same(operator), groups)
        case "MAX_POOL_2D":
            return layers.MaxPool(
                (options.FilterHeight(), options.FilterWidth()), *_stride_and_same(operator)
            )
        case "PAD":
            return layers.Pad(file.constant(inputs[1]).tolist())
        case "RELU":
            return nn.ReLU()
        case "PRELU":
            return layers.Prelu(_tensor(file, inputs[1]).flatten())
        case "ADD":
            return layers.Add()
        case "CONCATENATION":
            rank = len(file.shape(operator.output))
            axis = options.Axis() % rank
            return layers.Concatenate((0, 2, 3, 1)[axis] if rank == 4 else axis)
        case "RESHAPE":
            before, after = file.shape(inputs[0]), file.shape(operator.output)
            if len(before) == 3 and len(after) == 4 and after[:3] == (1, 1, 1):
                return attention.ToVector()
            if len(before) != 4 or len(after) != 3:
                raise Unsupported(f"operator RESHAPE from {before} to {after}")
            return layers.ToAnchors(after[2])
        case "MUL" if file.is_constant(inputs[1]) and len(file.shape(inputs[0])) == 3:
            return attention.Scale(_tensor(file, inputs[1]))
        case "STRIDED_SLICE" if file.shape(inputs[0]) == file.shape(operator.output):
            return nn.Identity()
        case "Landmarks2TransformMatrix":
            return attention.TransformMatrix(attention.custom_options(options))
        case "TransformTensorBilinear":
            return attention.TransformTensor(attention.custom_options(options))
        case "TransformLandmarks":
            return attention.TransformPoints()
        case "RESIZE_BILINEAR":
            (_, h, w, _), (_, new_h, new_w, _) = file.shape(inputs[0]), file.shape(operator.output)
            if not options.HalfPixelCenters() or new_h % h or new_w % w:
                raise Unsupported("operator RESIZE_BILINEAR without half-pixel centres or a whole factor")
            return layers.Enlarge((new_h // h, new_w // w))
        case "DEPTH_TO_SPACE":
            return layers.DepthToSpace(options.BlockSize())
        case name:
            raise Unsupported(f"operator {name}")


def _tensor(file: TfliteFile, constant: int) -> Tensor:
    return torch.from_numpy(np.array(file.constant(constant), np.float32))


def _stride_and_same(operator: Operator) -> tuple[tuple[int, int], bool]:
    """Stride (rows, columns), and whether padding is SAME, of a convolution or pooling."""
    options = operator.options
    if operator.name != "MAX_POOL_2D" and (options.DilationHFactor(), options.DilationWFactor()) != (1, 1):
        raise Unsupported(f"operator {operator.name} with dilation")
    return (options.StrideH(), options.StrideW()), options.Padding() == tflite.Padding.SAME


def _fused_relu(operator: Operator) -> bool:
    if not hasattr(operator.options, "FusedActivationFunction"):
        return False
    activation = operator.options.FusedActivationFunction()
    if activation not in (tflite.ActivationFunctionType.NONE, tflite.ActivationFunctionType.RELU):
        raise Unsupported(f"operator {operator.name} with fused activation {activation}")
    return bool(activation == tflite.ActivationFunctionType.RELU)
