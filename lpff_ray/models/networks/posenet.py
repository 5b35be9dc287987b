"""PoseNet: head pose from one crop, frontal to profile. A compact network whose weights ship with the package.

Its trunk is FaceMesh's (residual depthwise blocks with PReLU), its output a rotation in six numbers, an expected error
and a position. Model card: posenet.md. Weights: posenet.npz, made by `python -m training.train_pose`. This is the
network for OpenVINO, which runs it on the CPU; `torch_posenet` is the same one for training and for a GPU.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpff_ray.errors import UserError
from lpff_ray.models.networks import openvino_layers as layers

WEIGHTS = Path(__file__).with_name("posenet.npz")
INPUT = 96  # side of the crop, pixels
CROP_FACTOR = 1.5  # side of the crop, axis-aligned and centred on BlazeFace's box, over the box's longer side
# Channels, blocks, whether the first block halves the picture; all but the last stage are shaped as FaceMesh's.
STAGES = ((16, 2, False), (32, 3, True), (64, 3, True), (128, 3, True), (128, 3, True), (256, 2, False))
FEATURES = 512
# Signs of the outputs for the mirror image: two rows of the rotation, logarithm of the expected error, position.
MIRRORED = (1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0, -1.0, 1.0, 1.0)
SAME = (1, 1)  # rows and columns that TensorFlow's SAME adds below and on the right, for even sides

Weights = dict[str, NDArray[np.float32]]


def read_posenet(path: Path | None = None) -> Weights:
    """The weights by name in a file, by default the package's. Raises UserError if it can not be read."""
    path = path or WEIGHTS
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name].astype(np.float32) for name in arrays.files}
    except OSError as error:
        raise UserError(f"{path}: can not be read: {error.strerror or error}") from None
    except (ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(not_posenet(path, error)) from None


def not_posenet(path: Path | None, error: Exception) -> str:
    """The line for a file that holds something else."""
    reason = " ".join(str(error).split())[:120]
    return f"{path or WEIGHTS}: not PoseNet's weights, or damaged ({reason}): install lpff-ray again"


def openvino_posenet(weights: Weights, batch: int) -> Any:
    """The openvino.Model: uint8 [batch, INPUT, INPUT, 3] RGB -> the numbers [batch, 10] that `unpacked` takes.

    They are the mean of the picture's and of its mirror image's, so a mirrored face has exactly the mirrored pose.
    """
    op = layers.operations()

    def convolution(
        x: Any, name: str, stride: int = 1, padding: int = 0, more: tuple[int, int] = (0, 0)
    ) -> Any:
        weight = weights[f"{name}.weight"]
        groups = len(weight) if weight.shape[1] == 1 else 1
        layer = layers.ConvolutionLayer(weight, weights[f"{name}.bias"], stride, padding, groups)
        return layers.convolution(x, layer, more)

    def prelu(x: Any, name: str) -> Any:
        return op.prelu(x, layers.constant(weights[f"{name}.weight"]))

    parameter, x = layers.pictures(batch, INPUT)
    x = op.multiply(x, layers.constant(np.array(1 / 255, np.float32)))
    x = op.concat([x, op.reverse_sequence(x, layers.constant(np.full(batch, INPUT, np.int64)), 0, 3)], 0)
    x = prelu(convolution(x, "stem", 2, 0, SAME), "stem_activation")
    number = 0
    for channels, count, halves in STAGES:
        for index in range(count):
            name, halve = f"blocks.{number}", halves and index == 0
            y = convolution(x, f"{name}.depthwise", *((2, 0, SAME) if halve else (1, 1)))
            y = convolution(y, f"{name}.pointwise")
            x = layers.maximum(x, 2, 2) if halve else x
            x = layers.zero_padded(x, channels - layers.sides(x)[0], 0, 0)
            x = prelu(op.add(x, y), f"{name}.activation")
            number += 1
    x = prelu(convolution(x, "widen"), "widen_activation")
    x = prelu(convolution(x, "pool"), "pool_activation")
    x = op.reshape(x, layers.constant(np.array([2, batch, FEATURES], np.int64)), False)
    x = op.matmul(x, layers.constant(weights["head.weight"]), False, True)
    x = op.add(x, layers.constant(weights["head.bias"]))
    signs = np.stack([np.ones(len(MIRRORED)), MIRRORED])[:, None].astype(np.float32)
    x = op.multiply(x, layers.constant(signs))
    return layers.model(op.reduce_mean(x, layers.constant(np.array([0], np.int64)), False), parameter)


def unpacked(numbers: NDArray[np.float32]) -> tuple[NDArray, NDArray, NDArray]:
    """Rotations [n, 3, 3], expected errors [n] in degrees and positions [n, 3] of the network's numbers [n, 10].

    The rotation's two rows are made orthonormal by Gram-Schmidt, the third is their cross product. Source: Zhou et al.,
    "On the Continuity of Rotation Representations in Neural Networks" (CVPR 2019). What they mean: PoseNet.forward.
    """
    first = _unit(numbers[:, :3])
    second = _unit(numbers[:, 3:6] - (first * numbers[:, 3:6]).sum(1, keepdims=True) * first)
    rotation = np.stack([first, second, np.cross(first, second)], axis=1)
    return rotation, np.exp(np.clip(numbers[:, 6], -2.0, 5.0)), numbers[:, 7:]


def _unit(vectors: NDArray) -> NDArray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
