"""Runs fully convolutional ONNX networks on pictures of any size: OpenVINO on the CPU, torch on a GPU.

A result never depends on the batch that a picture is in, as in `runtimes`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpff_ray.models.batches import OnArrays
from lpff_ray.models.openvino_core import openvino
from lpff_ray.models.openvino_network import OpenVinoNetwork, read_onnx
from lpff_ray.models.precision import Precision


class FullyConvolutional:
    """A network that takes RGB pictures of any size, values 0..255. Threads may share one."""

    def __init__(self, path: Path, device: str, precision: Precision | None = None) -> None:
        """device: "cpu", "cuda" or "cuda:N". precision: on the CPU; None for the one chosen for the run.

        Raises UserError if the file can not be used or the device is absent.
        """
        if device == "cpu":
            self._run: OnArrays = _OpenVino(path, precision)
        else:
            from lpff_ray.models.torch_runtime import FullyConvolutionalOnDevice

            self._run = FullyConvolutionalOnDevice(path, device)

    def __call__(self, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """uint8 [n, h, w, 3] -> the file's outputs, float32 [n, channels, ...].

        h and w: what the network can take, for most a multiple of 32.
        """
        if pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype != np.uint8:
            raise ValueError(f"pictures are {pictures.dtype} {pictures.shape}, not uint8 [n, h, w, 3]")
        return self._run(pictures)


class _OpenVino:
    """One thread, picture by picture; compiled once a thread for all sizes: mixed photos do not compile it anew."""

    def __init__(self, path: Path, precision: Precision | None) -> None:
        self._network = OpenVinoNetwork(_model(path), precision)

    def __call__(self, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        pictures = np.ascontiguousarray(pictures)
        found = [self._network(pictures[number : number + 1]) for number in range(len(pictures))]
        return [np.concatenate(one) for one in zip(*found, strict=True)]


def _model(path: Path) -> Any:
    """The openvino.Model: uint8 [1, h, w, 3] in, conversion to float32 included."""
    model = read_onnx(path)
    ov = openvino()
    from openvino.preprocess import PrePostProcessor

    model.reshape({0: ov.PartialShape([1, 3, -1, -1])})
    steps = PrePostProcessor(model)
    steps.input(0).tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input(0).model().set_layout(ov.Layout("NCHW"))
    return steps.build()
