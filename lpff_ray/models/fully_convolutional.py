"""Runs fully convolutional ONNX networks on pictures of any size: OpenVINO on the CPU, torch on a GPU.

Both use the file's weights in float32. A result never depends on the batch that a picture is in, as in `runtimes`.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lpff_ray.models.networks.onnx_graph import OnnxGraph, read_onnx
from lpff_ray.models.openvino_core import openvino, openvino_core
from lpff_ray.models.runtimes import (
    CUDA_IMAGES_PER_BATCH,
    CUDA_PIXELS_PER_BATCH,
    in_fixed_batches,
    torch_device,
)


class FullyConvolutional:
    """A network that takes RGB pictures of any size, values 0..255. Threads may share one."""

    def __init__(self, path: Path, device: str) -> None:
        """device: "cpu", "cuda" or "cuda:N". Raises UserError if the file can not be used or the device is absent."""
        self._run = _OpenVino(path) if device == "cpu" else _Torch(path, device)

    def __call__(self, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """uint8 [n, h, w, 3] -> the file's outputs, float32 [n, channels, ...].

        h and w: what the network can take, for most a multiple of 32.
        """
        if pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype != np.uint8:
            raise ValueError(f"pictures are {pictures.dtype} {pictures.shape}, not uint8 [n, h, w, 3]")
        return self._run(pictures)


class _OpenVino:
    """One thread, picture by picture; compiled once a thread for all sizes: mixed photos do not compile it anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._of_thread = threading.local()
        self._request()

    def __call__(self, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        request = self._request()
        found: list[list[NDArray]] = []
        for number in range(len(pictures)):
            request.infer([np.ascontiguousarray(pictures[number : number + 1])], share_inputs=True)
            found.append([output.data[0].copy() for output in request.output_tensors])
        return [np.stack(one) for one in zip(*found, strict=True)]

    def _request(self) -> Any:
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = _compiled(self._path).create_infer_request()
        return request


def _compiled(path: Path) -> Any:
    """The compiled network: uint8 [1, h, w, 3] in, conversion to float32 included."""
    model = read_onnx(path)
    ov = openvino()
    from openvino.preprocess import PrePostProcessor

    model.reshape({0: ov.PartialShape([1, 3, -1, -1])})
    steps = PrePostProcessor(model)
    steps.input(0).tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input(0).model().set_layout(ov.Layout("NCHW"))
    # Pinning would tie the thread that calls, and all that it does afterwards, to one core.
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    return openvino_core().compile_model(steps.build(), "CPU", settings)


class _Torch:
    """On a torch device, in batches of a fixed size for each size of picture."""

    def __init__(self, path: Path, device: str) -> None:
        self._device = torch_device(device)
        self._graph = OnnxGraph(path).to(self._device)

    def __call__(self, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        height, width = pictures.shape[1:3]
        size = max(1, min(CUDA_IMAGES_PER_BATCH, CUDA_PIXELS_PER_BATCH // (height * width)))
        return in_fixed_batches(self._on_device, pictures, size, self._device)

    def _on_device(self, pictures: Tensor) -> list[Tensor]:
        return self._graph(pictures.permute(0, 3, 1, 2).to(torch.float32))
