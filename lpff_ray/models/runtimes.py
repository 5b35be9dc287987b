"""Runs the built-in models on batches: LiteRT and OpenVINO on the CPU, torch on a GPU, with the same weights.

A result never depends on the batch that an image is in: LiteRT runs on one image at a time, the others on batches
padded to a fixed size. Threads may share objects of this module. torch, whose import takes seconds, is only loaded for
a GPU.
"""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from lpff_ray.errors import UserError
from lpff_ray.models.batches import (
    CPU_CROPS_PER_BATCH,
    CPU_FACES_PER_BATCH,
    CUDA_FACES_PER_BATCH,
    OnArrays,
    in_fixed_batches,
)
from lpff_ray.models.networks.dlib_resnet import CHIP_SIZE, DlibResNet
from lpff_ray.models.networks.posenet import INPUT as POSE_INPUT
from lpff_ray.models.networks.posenet import openvino_posenet, read_posenet, unpacked
from lpff_ray.models.openvino_network import OpenVinoNetwork
from lpff_ray.models.precision import Precision

if TYPE_CHECKING:
    from lpff_ray.models.torch_runtime import TorchBackend


class TfliteModel:
    """A .tflite model on batches of any length.

    input_size: (height, width) of the images that it takes.
    """

    def __init__(self, path: Path, device: str = "cpu", input_size: tuple[int, int] | None = None) -> None:
        """device: "cpu", "cuda" or "cuda:N". input_size: None for the size that the file was made for.

        Raises UserError if the file can not be used, the device is absent, or LiteRT can not run the graph at
        that size.
        """
        if device == "cpu":
            run: LiteRtBackend | TorchBackend = LiteRtBackend(path, input_size)
        else:
            from lpff_ray.models.torch_runtime import TorchBackend

            run = TorchBackend(path, device, input_size)
        self._run, self.input_size = run, run.input_size

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """float32 [n, h, w, c] -> the file's outputs, float32, shaped as in the file but with n in front."""
        if batch.ndim != 4 or batch.shape[1:3] != self.input_size or batch.dtype != np.float32:
            raise ValueError(f"batch is {batch.dtype} {batch.shape}, not float32 [n, *{self.input_size}, c]")
        return self._run(batch)


class CropModel:
    """A network on square RGB crops, in batches of any length."""

    def __init__(self, run: OnArrays, side: int, batch: int) -> None:
        """run: the network on uint8 [batch, side, side, 3] RGB, with one output [batch, ...]. side: pixels."""
        self._run, self._side, self._batch = run, side, batch

    def output(self, crops: np.ndarray) -> np.ndarray:
        """uint8 [n, side, side, 3] RGB -> the network's output, float32 [n, ...]."""
        if crops.shape[1:] != (self._side, self._side, 3) or crops.dtype != np.uint8:
            raise ValueError(
                f"crops are {crops.dtype} {crops.shape}, not uint8 [n, {self._side}, {self._side}, 3]"
            )
        return in_fixed_batches(self._run, crops, self._batch)[0]


class EmbeddingModel(CropModel):
    """dlib's identity embedding of aligned faces."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        """path: dlib_face_recognition_resnet_model_v1.dat. Raises UserError if it or the device can not be used."""
        network = DlibResNet(path)
        if device == "cpu":
            model = network.openvino_model(CPU_FACES_PER_BATCH)
            super().__init__(OpenVinoNetwork(model), CHIP_SIZE, CPU_FACES_PER_BATCH)
        else:
            from lpff_ray.models.torch_runtime import embedding_on

            super().__init__(embedding_on(network, device), CHIP_SIZE, CUDA_FACES_PER_BATCH)

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        """uint8 [n, 150, 150, 3] RGB, aligned -> float32 [n, 128] of unit length."""
        found = self.output(faces)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


class FaceVerifier(CropModel):
    """dlib's face detector as a verifier: is there a face in the middle of a crop? It runs on torch everywhere."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        """path: mmod_human_face_detector.dat. Raises UserError if it or the device can not be used."""
        from lpff_ray.models.networks.dlib_mmod import CROP
        from lpff_ray.models.torch_runtime import verifier_on

        batch = CPU_CROPS_PER_BATCH if device == "cpu" else CUDA_FACES_PER_BATCH
        super().__init__(verifier_on(path, device), CROP, batch)

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """uint8 [n, 160, 160, 3] RGB -> float32 [n]: about 1 for a face of 80 pixels in the middle, else below 0."""
        return self.output(crops)


class PoseModel(CropModel):
    """PoseNet: the head pose of faces. On the CPU in float32 whatever the run's precision.

    Evidence: docs/evidence/speed.md#precision
    """

    def __init__(self, device: str = "cpu") -> None:
        """Raises UserError if the weights are missing or the device is absent."""
        if device == "cpu":
            model = openvino_posenet(read_posenet(), CPU_CROPS_PER_BATCH)
            super().__init__(OpenVinoNetwork(model, Precision.EXACT), POSE_INPUT, CPU_CROPS_PER_BATCH)
        else:
            from lpff_ray.models.torch_runtime import posenet_on

            super().__init__(posenet_on(device), POSE_INPUT, CUDA_FACES_PER_BATCH)

    def __call__(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """uint8 [n, 96, 96, 3] RGB -> rotations [n, 3, 3], expected errors [n], positions [n, 3]; see PoseNet."""
        return unpacked(self.output(crops))


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
