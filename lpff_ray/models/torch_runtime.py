"""Runs the built-in models with torch: what `runtimes` uses on a GPU. It works on a CPU too, as tests do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lpff_ray.errors import UserError
from lpff_ray.models.batches import CUDA_IMAGES_PER_BATCH, CUDA_PIXELS_PER_BATCH, OnArrays, in_fixed_batches
from lpff_ray.models.networks.dlib_mmod import DlibMmod
from lpff_ray.models.networks.dlib_resnet import DlibResNet
from lpff_ray.models.networks.onnx_graph import OnnxGraph
from lpff_ray.models.networks.tflite_graph import TfliteGraph
from lpff_ray.models.networks.torch_dlib import TorchDlibResNet
from lpff_ray.models.networks.torch_posenet import load_posenet


class TorchBackend:
    """A .tflite file on a torch device, in batches of a fixed size."""

    def __init__(self, path: Path, device: str, input_size: tuple[int, int] | None) -> None:
        self._device = torch_device(device)
        self._graph = TfliteGraph(path).to(self._device)
        height, width = self.input_size = input_size or self._graph.input_size
        self._batch_size = max(1, min(CUDA_IMAGES_PER_BATCH, CUDA_PIXELS_PER_BATCH // (height * width)))

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        return in_fixed_batches(OnDevice(self._graph, self._device), batch, self._batch_size)


def torch_device(name: str) -> torch.device:
    """Raises UserError if the device is absent. On CUDA, also asks for full float32 in this process.

    TF32, cuDNN's default, would move raw outputs by far more than the 5e-4 that CPU and GPU may differ by.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device {name}: unknown; use cpu, cuda or cuda:N") from None
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise UserError(
                f"device {name}: torch sees {count} CUDA devices; use --device cpu, or repair the driver"
            )
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
    return device


class OnDevice:
    """A torch module on its device, for arrays: what `in_fixed_batches` runs."""

    def __init__(self, network: Callable[[Tensor], Sequence[Tensor]], device: torch.device) -> None:
        self._network, self._device = network, device

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            outputs = self._network(torch.from_numpy(batch).to(self._device))
            return [output.cpu().numpy() for output in outputs]


class FullyConvolutionalOnDevice:
    """A fully convolutional ONNX network, in batches of a fixed size for each size of picture."""

    def __init__(self, path: Path, device: str) -> None:
        """Raises UserError if the file can not be used or the device is absent."""
        self._device = torch_device(device)
        self._graph = OnnxGraph(path).to(self._device)

    def __call__(self, pictures: np.ndarray) -> list[np.ndarray]:
        """See FullyConvolutional."""
        height, width = pictures.shape[1:3]
        size = max(1, min(CUDA_IMAGES_PER_BATCH, CUDA_PIXELS_PER_BATCH // (height * width)))
        return in_fixed_batches(OnDevice(lambda x: self._graph(planes(x)), self._device), pictures, size)


def embedding_on(network: DlibResNet, device: str) -> OnArrays:
    """`DlibResNet.openvino_model` on a device. Raises UserError if it is absent."""
    place = torch_device(device)
    module = TorchDlibResNet(network).to(place)
    return OnDevice(lambda crops: [module(planes(crops))], place)


def verifier_on(path: Path, device: str) -> OnArrays:
    """`DlibMmod` on a device, for uint8 [n, side, side, 3]. Raises UserError if file or device can not be used."""
    place = torch_device(device)
    module = DlibMmod(path).to(place)
    return OnDevice(lambda crops: [module(planes(crops))], place)


def posenet_on(device: str) -> OnArrays:
    """`posenet.openvino_posenet` on a device. Raises UserError if it is absent, or the weights are."""
    place = torch_device(device)
    module = load_posenet().to(place)
    return OnDevice(lambda crops: [module.numbers(planes(crops) / 255.0)], place)


def planes(crops: Tensor) -> Tensor:
    """uint8 [n, side, side, 3] as float32 [n, 3, side, side], 0..255.

    Left in channels-last memory, which is faster. Evidence: docs/evidence/speed.md#channels-last-memory
    """
    return crops.permute(0, 3, 1, 2).to(torch.float32)
