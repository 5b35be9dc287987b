"""Networks run straight from the tensors of a PyTorch checkpoint, which is never unpickled unsafely."""

from __future__ import annotations

import pickle
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lpff_ray.errors import UserError
from lpff_ray.models.batches import CPU_CROPS_PER_BATCH, CUDA_IMAGES_PER_BATCH, in_fixed_batches
from lpff_ray.models.torch_runtime import OnDevice, torch_device

NESTED = ("state_dict", "model_state_dict", "params")  # names under which training programs store the tensors
IMAGENET_MEAN, IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, float32, without the `module.` of distributed training.

    Only tensors and plain containers are read: torch refuses whatever else a pickle could do. Raises UserError for a
    file that is anything else.
    """
    try:
        stored: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"{path}: can not be read: {error.strerror or error}") from None
    except (
        pickle.UnpicklingError,
        RuntimeError,
        ValueError,
        KeyError,
        EOFError,
        zipfile.BadZipFile,
    ) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"{path}: not a PyTorch checkpoint of plain tensors ({reason})") from None
    for name in NESTED:
        if isinstance(stored, Mapping) and isinstance(stored.get(name), Mapping):
            stored = stored[name]
    if not isinstance(stored, Mapping) or not stored:
        raise UserError(f"{path}: holds no named tensors")
    tensors = {name: value for name, value in stored.items() if isinstance(value, Tensor)}
    return {name.removeprefix("module."): value.float() for name, value in tensors.items()}


class Weights:
    """Named tensors on a device, and the layers that they make. A missing name is a KeyError."""

    def __init__(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        self.device = device
        self._tensors = {name: value.to(device) for name, value in tensors.items()}

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def count(self, prefix: str) -> int:
        """How many members a sequence has: of `prefix.0.x`, `prefix.1.x`, ... the number of different numbers."""
        inside = (name[len(prefix) + 1 :] for name in self._tensors if name.startswith(f"{prefix}."))
        return len({rest.split(".")[0] for rest in inside})

    def convolution(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        """Convolution that keeps the size but for its stride; its groups follow from the weights' shape."""
        weight = self[f"{name}.weight"]
        bias = self._tensors.get(f"{name}.bias")
        padding, groups = weight.shape[-1] // 2, x.shape[1] // weight.shape[1]
        return functional.conv2d(x, weight, bias, stride, padding, groups=groups)

    def norm(self, x: Tensor, name: str) -> Tensor:
        """Batch normalisation with the stored statistics."""
        mean, variance = self[f"{name}.running_mean"], self[f"{name}.running_var"]
        return functional.batch_norm(x, mean, variance, self[f"{name}.weight"], self[f"{name}.bias"])

    def prelu(self, x: Tensor, name: str) -> Tensor:
        """Leaky rectifier with the stored slopes."""
        return functional.prelu(x, self[f"{name}.weight"])

    def linear(self, x: Tensor, name: str) -> Tensor:
        """Fully connected layer."""
        return functional.linear(x, self[f"{name}.weight"], self[f"{name}.bias"])


class CheckpointNetwork(ABC):
    """A network on batches of crops of any length; an output never depends on what its crop was batched with."""

    name: str
    side: int
    """Side of the square crops, pixels."""

    def __init__(self, path: Path, device: str) -> None:
        """device: "cpu", "cuda" or "cuda:N". Raises UserError if the file is not this network's."""
        self._device = torch_device(device)
        self._batch_size = CPU_CROPS_PER_BATCH if self._device.type == "cpu" else CUDA_IMAGES_PER_BATCH
        self.weights = Weights(read_checkpoint(path), self._device)
        try:
            with torch.inference_mode():
                self.forward(torch.zeros(1, 3, self.side, self.side, device=self._device))
        except (KeyError, RuntimeError, ValueError, IndexError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
            raise UserError(f"{path}: not {self.name}'s weights ({reason})") from None

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """float32 [n, 3, side, side], RGB 0..255 -> the network's output [n, ...]."""

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [n, side, side, 3] RGB -> the network's output, float32 [n, ...]."""
        check_crops(crops, self.side)
        run = OnDevice(lambda x: [self.forward(x.permute(0, 3, 1, 2).float())], self._device)
        return in_fixed_batches(run, crops, self._batch_size)[0]


def check_crops(crops: NDArray, side: int) -> None:
    """Raises ValueError unless crops are uint8 [n, side, side, 3]."""
    if crops.shape[1:] != (side, side, 3) or crops.dtype != np.uint8:
        raise ValueError(f"crops are {crops.dtype} {crops.shape}, not uint8 [n, {side}, {side}, 3]")


def as_imagenet(x: Tensor) -> Tensor:
    """RGB 0..255 [n, 3, h, w], standardised by the means and deviations of ImageNet."""
    mean, std = (x.new_tensor(values).reshape(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (x - mean) / std
