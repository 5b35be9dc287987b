"""Reads a .tflite flatbuffer: its operators, and its weights as dense float32 arrays.

The format is TensorFlow's schema.fbs; the PyPI package `tflite` holds the accessors generated from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite

OPERATOR_NAMES = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
OPTIONS_TYPES = {
    "CONCATENATION": tflite.ConcatenationOptions,
    "CONV_2D": tflite.Conv2DOptions,
    "DEPTHWISE_CONV_2D": tflite.DepthwiseConv2DOptions,
    "DEPTH_TO_SPACE": tflite.DepthToSpaceOptions,
    "MAX_POOL_2D": tflite.Pool2DOptions,
    "ADD": tflite.AddOptions,
    "RESIZE_BILINEAR": tflite.ResizeBilinearOptions,
}
DTYPES = {
    tflite.TensorType.FLOAT32: np.dtype("<f4"),
    tflite.TensorType.FLOAT16: np.dtype("<f2"),
    tflite.TensorType.INT32: np.dtype("<i4"),
}


class Unsupported(Exception):
    """The file is sound but asks for something that is not implemented here."""


@dataclass(frozen=True)
class Operator:
    """One operator: the tensors that it reads (-1: an optional one left out) and the one that it writes.

    options: the accessor for its typed options, or None if it has none that matter here; bytes, of a custom operator.
    """

    name: str
    options: Any
    inputs: tuple[int, ...]
    output: int


class TfliteFile:
    """The only subgraph of a .tflite file. Tensors are named by their number in the file."""

    def __init__(self, data: bytes) -> None:
        """Raises Unsupported, ValueError for other kinds of file, and almost anything for a damaged one."""
        if len(data) < 8 or not tflite.Model.ModelBufferHasIdentifier(data, 0):
            raise ValueError("not a .tflite model")
        self._model = tflite.Model.GetRootAsModel(data, 0)
        self._graph = self._model.Subgraphs(0)
        if self._model.SubgraphsLength() != 1 or self._graph.InputsLength() != 1:
            raise Unsupported("more than one input or subgraph")
        self.input = int(self._graph.Inputs(0))
        self.outputs = tuple(int(self._graph.Outputs(i)) for i in range(self._graph.OutputsLength()))
        # Result of an operator that only unpacks weights -> the tensor that holds them.
        self._packed: dict[int, int] = {}

    def operators(self) -> Iterator[Operator]:
        """In file order, which is an order of execution; without those that only unpack weights."""
        for number in range(self._graph.OperatorsLength()):
            operator = self._graph.Operators(number)
            code = self._model.OperatorCodes(operator.OpcodeIndex())
            # Old files fill only the deprecated 8-bit field, newer files both.
            builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            name = OPERATOR_NAMES.get(builtin, str(builtin))
            if name == "CUSTOM":
                name = (code.CustomCode() or b"").decode("utf-8", "replace")
            inputs = tuple(int(operator.Inputs(i)) for i in range(operator.InputsLength()))
            output = int(operator.Outputs(0))
            if name in ("DEQUANTIZE", "DENSIFY") and self.is_constant(inputs[0]):
                self._packed[output] = inputs[0]
            else:
                yield Operator(name, _options(name, operator), inputs, output)

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Shape of a tensor as the file states it."""
        entry = self._graph.Tensors(tensor)
        return tuple(int(entry.Shape(i)) for i in range(entry.ShapeLength()))

    def is_constant(self, tensor: int) -> bool:
        """Whether the file holds the tensor's values."""
        entry = self._graph.Tensors(self._packed_in(tensor))
        return bool(self._model.Buffers(entry.Buffer()).DataLength() > 0)

    def constant(self, tensor: int) -> np.ndarray:
        """Values of a constant, dense; float16 is widened to float32."""
        entry = self._graph.Tensors(self._packed_in(tensor))
        if entry.Type() not in DTYPES:
            raise Unsupported(f"weights of tensor type {entry.Type()}")
        values = self._model.Buffers(entry.Buffer()).DataAsNumpy().view(DTYPES[entry.Type()])
        sparsity = entry.Sparsity()
        if sparsity is None:
            values = values.reshape(self.shape(tensor))
        else:
            values = _densify(values, sparsity, self.shape(tensor))
        return values.astype(np.float32) if values.dtype.kind == "f" else values

    def _packed_in(self, tensor: int) -> int:
        while tensor in self._packed:
            tensor = self._packed[tensor]
        return tensor


def _options(name: str, operator: Any) -> Any:
    if operator.CustomOptionsLength():
        return bytes(operator.CustomOptionsAsNumpy())
    table = operator.BuiltinOptions()
    if name not in OPTIONS_TYPES or table is None:
        return None
    options = OPTIONS_TYPES[name]()
    options.Init(table.Bytes, table.Pos)
    return options


def _densify(values: np.ndarray, sparsity: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Dense array of `shape` from a sparse tensor's stored values (SparsityParameters in schema.fbs).

    The levels, one per dimension, form a tree whose leaves are the values in stored order: a dense level
    gives every node all its children, a compressed one (CSR) lists them.
    """
    if sparsity.BlockMapLength():
        raise Unsupported("weights stored in sparse blocks")
    positions = [np.zeros(1, np.int64) for _ in shape]
    for level in range(sparsity.DimMetadataLength()):
        metadata = sparsity.DimMetadata(level)
        if metadata.Format() == tflite.DimensionType.DENSE:
            nodes, size = len(positions[0]), metadata.DenseSize()
            counts, children = np.full(nodes, size), np.tile(np.arange(size), nodes)
        else:
            counts = np.diff(_indices(metadata.ArraySegmentsType(), metadata.ArraySegments()))
            children = _indices(metadata.ArrayIndicesType(), metadata.ArrayIndices())
        positions = [np.repeat(position, counts) for position in positions]
        positions[int(sparsity.TraversalOrder(level))] = children
    dense = np.zeros(shape, values.dtype)
    dense[tuple(positions)] = values
    return dense


def _indices(kind: int, table: Any) -> np.ndarray:
    """A SparseIndexVector, which is a union of three integer widths, as int64."""
    vectors = {
        tflite.SparseIndexVector.Int32Vector: tflite.Int32Vector,
        tflite.SparseIndexVector.Uint16Vector: tflite.Uint16Vector,
        tflite.SparseIndexVector.Uint8Vector: tflite.Uint8Vector,
    }
    vector = vectors[kind]()
    vector.Init(table.Bytes, table.Pos)
    return np.asarray(vector.ValuesAsNumpy(), np.int64)
