"""Runs the built-in models on batches: LiteRT on the CPU, torch on a GPU, with the same weights and the same results.

A result never depends on the batch that an image is in: LiteRT runs on one image at a time, torch on batches padded to
a fixed size. Threads may share objects of this module.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from torch import Tensor, nn
from torch.nn import functional

from lpff_ray.errors import UserError
from lpff_ray.models.networks.dlib_mmod import CROP, DlibMmod
from lpff_ray.models.networks.dlib_resnet import CHIP_SIZE, DlibResNet
from lpff_ray.models.networks.posenet import INPUT as POSE_INPUT
from lpff_ray.models.networks.posenet import load_posenet
from lpff_ray.models.networks.tflite_graph import TfliteGraph

# A batch costs its full size however few images are in it, so on the CPU it is as small as speed allows.
CPU_FACES_PER_BATCH = 16
CPU_CROPS_PER_BATCH = 4
CUDA_FACES_PER_BATCH = 64
CUDA_IMAGES_PER_BATCH = 32
# Fewer of large images: the miner gives ten frames of 1080p at once, two of 4K
CUDA_PIXELS_PER_BATCH = 2 << 20


class TfliteModel:
    """A .tflite model on batches of any length.

    input_size: (height, width) of the images that it takes.
    """

    def __init__(self, path: Path, device: str = "cpu", input_size: tuple[int, int] | None = None) -> None:
        """device: "cpu", "cuda" or "cuda:N". input_size: None for the size that the file was made for.

        Raises UserError if the file can not be used, the device is absent, or LiteRT can not run the graph at
        that size.
        """
        self._run = (
            LiteRtBackend(path, input_size) if device == "cpu" else TorchBackend(path, device, input_size)
        )
        self.input_size = self._run.input_size

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """float32 [n, h, w, c] -> the file's outputs, float32, shaped as in the file but with n in front."""
        if batch.ndim != 4 or batch.shape[1:3] != self.input_size or batch.dtype != np.float32:
            raise ValueError(f"batch is {batch.dtype} {batch.shape}, not float32 [n, *{self.input_size}, c]")
        return self._run(batch)


class CropModel:
    """A torch network on square RGB crops, in batches of any length."""

    def __init__(self, network: nn.Module, side: int, device: str, cpu_batch: int) -> None:
        """side: of the crops, pixels. device: "cpu", "cuda" or "cuda:N". Raises UserError if it is absent."""
        self._device = torch_device(device)
        self._batch_size = cpu_batch if self._device.type == "cpu" else CUDA_FACES_PER_BATCH
        self._network = network.to(self._device)
        self._side = side

    def outputs(self, crops: np.ndarray) -> list[np.ndarray]:
        """uint8 [n, side, side, 3] RGB -> the network's outputs, float32 [n, ...]."""
        if crops.shape[1:] != (self._side, self._side, 3) or crops.dtype != np.uint8:
            raise ValueError(
                f"crops are {crops.dtype} {crops.shape}, not uint8 [n, {self._side}, {self._side}, 3]"
            )
        return in_fixed_batches(self.run, crops, self._batch_size, self._device)

    def run(self, crops: Tensor) -> list[Tensor]:
        """uint8 [batch, side, side, 3] on the device -> outputs."""
        raise NotImplementedError


class EmbeddingModel(CropModel):
    """dlib's identity embedding of aligned faces."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        """path: dlib_face_recognition_resnet_model_v1.dat. Raises UserError if it or the device can not be used."""
        super().__init__(DlibResNet(path), CHIP_SIZE, device, CPU_FACES_PER_BATCH)

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        """uint8 [n, 150, 150, 3] RGB, aligned -> float32 [n, 128] of unit length."""
        return self.outputs(faces)[0]

    def run(self, crops: Tensor) -> list[Tensor]:
        # Left in channels-last memory, which is faster. Evidence: docs/evidence/speed.md#channels-last-memory
        return [functional.normalize(self._network(crops.permute(0, 3, 1, 2).float()))]


class FaceVerifier(CropModel):
    """dlib's face detector as a verifier: is there a face in the middle of a crop?"""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        """path: mmod_human_face_detector.dat. Raises UserError if it or the device can not be used."""
        super().__init__(DlibMmod(path), CROP, device, CPU_CROPS_PER_BATCH)

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """uint8 [n, 160, 160, 3] RGB -> float32 [n]: about 1 for a face of 80 pixels in the middle, else below 0."""
        return self.outputs(crops)[0]

    def run(self, crops: Tensor) -> list[Tensor]:
        return [self._network(crops.permute(0, 3, 1, 2).float())]


class PoseModel(CropModel):
    """PoseNet: the head pose of faces."""

    def __init__(self, device: str = "cpu") -> None:
        """Raises UserError if the weights are missing or the device is absent."""
        super().__init__(load_posenet(), POSE_INPUT, device, CPU_CROPS_PER_BATCH)

    def __call__(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """uint8 [n, 96, 96, 3] RGB -> rotations [n, 3, 3], expected errors [n], positions [n, 3]; see PoseNet."""
        rotation, error, position = self.outputs(crops)
        return rotation, error, position

    def run(self, crops: Tensor) -> list[Tensor]:
        return list(self._network(crops.permute(0, 3, 1, 2).float() / 255.0))


class LiteRtBackend:
    """A .tflite file on LiteRT with one thread, image by image. Evidence: docs/evidence/speed.md#batches-on-litert"""

    def __init__(self, path: Path, input_size: tuple[int, int] | None) -> None:
        self._path = path
        self._size = input_size
        self._of_thread = threading.local()  # interpreters are not thread-safe
        _, height, width, _ = self._interpreter().get_input_details()[0]["shape"]
        self.input_size = (int(height), int(width))

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        interpreter = self._interpreter()
        source = interpreter.get_input_details()[0]["index"]
        outputs = interpreter.get_output_details()
        results = [np.empty((len(batch), *output["shape"][1:]), np.float32) for output in outputs]
        for number in range(len(batch)):
            interpreter.set_tensor(source, batch[number : number + 1])
            interpreter.invoke()
            for output, result in zip(outputs, results, strict=True):
                result[number] = interpreter.get_tensor(output["index"])[0]
        return results

    def _interpreter(self) -> Interpreter:
        interpreter = getattr(self._of_thread, "interpreter", None)
        if interpreter is None:
            interpreter = self._of_thread.interpreter = self._new_interpreter()
        return interpreter

    def _new_interpreter(self) -> Interpreter:
        try:
            interpreter = Interpreter(model_path=str(self._path), num_threads=1)
            if self._size is not None:
                source = interpreter.get_input_details()[0]
                channels = int(source["shape"][3])
                interpreter.resize_tensor_input(source["index"], [1, *self._size, channels], strict=False)
            _allocate_quietly(interpreter)
        except (ValueError, RuntimeError) as error:
            size = "" if self._size is None else f" with {self._size[0]} x {self._size[1]} pixels"
            reason = " ".join(str(error).split())
            raise UserError(f"{self._path}: LiteRT can not run it{size}: {reason}") from None
        return interpreter


class TorchBackend:
    """A .tflite file on a torch device, in batches of a fixed size."""

    def __init__(self, path: Path, device: str, input_size: tuple[int, int] | None) -> None:
        self._device = torch_device(device)
        self._graph = TfliteGraph(path).to(self._device)
        height, width = self.input_size = input_size or self._graph.input_size
        self._batch_size = max(1, min(CUDA_IMAGES_PER_BATCH, CUDA_PIXELS_PER_BATCH // (height * width)))

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        return in_fixed_batches(self._graph, batch, self._batch_size, self._device)


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


def in_fixed_batches(
    run: Callable[[Tensor], list[Tensor]], batch: np.ndarray, size: int, device: torch.device
) -> list[np.ndarray]:
    """`run` on every `size` items of the batch, the last ones padded with zeros, and its outputs for the real items.

    So an item is computed by the same kernels whatever it is batched with, and its result is the same bit for bit.
    """
    parts: list[list[np.ndarray]] = []
    with torch.inference_mode():
        for start in range(0, max(len(batch), 1), size):
            items = batch[start : start + size]
            padded = np.zeros((size, *batch.shape[1:]), batch.dtype)
            padded[: len(items)] = items
            outputs = run(torch.from_numpy(padded).to(device))
            parts.append([output[: len(items)].cpu().numpy() for output in outputs])
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


_first_allocation = threading.Lock()
_allocated = False


def _allocate_quietly(interpreter: Interpreter) -> None:
    """Allocate tensors without the INFO line that LiteRT prints to stderr once per process, into any progress bar.

    No setting turns it off, so file descriptor 2 is redirected to a file during the first allocation. Whatever else was
    written to it meanwhile, by any thread, is written afterwards.
    """
    global _allocated
    with _first_allocation:
        if not _allocated:
            _allocated = True
            try:
                stderr = os.dup(2)
            except OSError:  # the process has no stderr to keep clean
                return interpreter.allocate_tensors()
            with tempfile.TemporaryFile() as caught:
                os.dup2(caught.fileno(), 2)
                try:
                    return interpreter.allocate_tensors()
                finally:
                    os.dup2(stderr, 2)
                    os.close(stderr)
                    caught.seek(0)
                    os.write(2, b"".join(line for line in caught if b"XNNPACK delegate" not in line))
    return interpreter.allocate_tensors()
