"""An ONNX graph as a torch module: the file's weights, on any device, at any input size and in any batch.

OpenVINO reads the file and folds its constants; what is left of a convolutional network is a handful of operations.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lpff_ray.errors import UserError
from lpff_ray.models.openvino_core import openvino
from lpff_ray.models.openvino_network import read_onnx

ANY_SIDE = 64  # sides of the input that constants are folded for; the operations hold at any size


class OnnxGraph(nn.Module):
    """The graph of one ONNX file with one picture as input. Its weights are buffers."""

    def __init__(self, path: Path) -> None:
        """Raises UserError if the file can not be read, or has an operation that is not supported."""
        super().__init__()
        model = read_onnx(path)
        model.reshape({0: openvino().PartialShape([1, 3, ANY_SIDE, ANY_SIDE])})
        from openvino import passes

        manager = passes.Manager()
        manager.register_pass(passes.ConstantFolding())
        manager.run_passes(model)
        self._steps: list[tuple[Callable[..., Tensor], list[str], str]] = []
        self._outputs: list[str] = []
        for node in model.get_ordered_ops():
            name, kind = node.get_friendly_name(), node.get_type_name()
            sources = [one.get_source_output().get_node() for one in node.inputs()]
            if kind == "Constant":
                self.register_buffer(_key(name), torch.from_numpy(node.data.copy()), persistent=False)
            elif kind == "Parameter":
                self._input = _key(name)
            elif kind != "Result":
                if kind not in OPERATIONS:
                    raise UserError(f"{path}: not supported: operation {kind}")
                operation = OPERATIONS[kind](node.get_attributes())
                self._steps.append(
                    (operation, [_key(one.get_friendly_name()) for one in sources], _key(name))
                )
        for output in model.outputs:
            source = output.get_node().input(0).get_source_output().get_node()
            self._outputs.append(_key(source.get_friendly_name()))
        self.eval()

    def forward(self, x: Tensor) -> list[Tensor]:
        """float32 [n, 3, h, w] -> the outputs in the file's order."""
        values = {**dict(self.named_buffers()), self._input: x}
        for operation, sources, name in self._steps:
            values[name] = operation(*(values[source] for source in sources))
        return [values[name] for name in self._outputs]


def _key(name: str) -> str:
    """A node's name as the name of a buffer, which must have no dot in it."""
    return "node_" + name.replace(".", "_")


def _convolution(attributes: dict[str, Any]) -> Callable[..., Tensor]:
    padding = _even_padding(attributes)

    def run(x: Tensor, weight: Tensor) -> Tensor:
        return functional.conv2d(x, weight, None, attributes["strides"], padding, attributes["dilations"])

    return run


def _group_convolution(attributes: dict[str, Any]) -> Callable[..., Tensor]:
    padding = _even_padding(attributes)

    def run(x: Tensor, weight: Tensor) -> Tensor:
        groups = weight.shape[0]
        return functional.conv2d(
            x, weight.flatten(0, 1), None, attributes["strides"], padding, attributes["dilations"], groups
        )

    return run


def _transposed_convolution(attributes: dict[str, Any]) -> Callable[..., Tensor]:
    padding = _even_padding(attributes)

    def run(x: Tensor, weight: Tensor) -> Tensor:
        return functional.conv_transpose2d(
            x,
            weight,
            None,
            attributes["strides"],
            padding,
            attributes["output_padding"],
            1,
            attributes["dilations"],
        )

    return run


def _batch_norm(attributes: dict[str, Any]) -> Callable[..., Tensor]:
    def run(x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return functional.batch_norm(x, mean, variance, scale, shift, eps=attributes["epsilon"])

    return run


def _even_padding(attributes: dict[str, Any]) -> list[int]:
    """Raises UserError where the sides are padded differently, which torch's convolutions can not do."""
    begin, end = attributes["pads_begin"], attributes["pads_end"]
    if list(begin) != list(end):
        raise UserError(f"not supported: a convolution padded by {list(begin)} and {list(end)}")
    return list(begin)


OPERATIONS: dict[str, Callable[[dict[str, Any]], Callable[..., Tensor]]] = {
    "Add": lambda _: torch.add,
    "BatchNormInference": _batch_norm,
    "Convolution": _convolution,
    "ConvolutionBackpropData": _transposed_convolution,
    "GroupConvolution": _group_convolution,
    "Relu": lambda _: torch.relu,
    "Sigmoid": lambda _: torch.sigmoid,
}
"""OpenVINO's names of operations; each makes, of its attributes, a function of the inputs."""
