"""ONNX files on onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpff_ray.errors import UserError

CUDA_BATCH = 32


class OnnxFile:
    """An ONNX graph with one input of images, on batches of any length.

    A graph that was exported for a fixed batch is run that many images at a time, zeros after the last; one that takes
    any batch image by image on a CPU, where more is no faster, and in batches of a fixed size on a GPU. So an output
    never depends on what its image was batched with. Threads may share one.
    """

    def __init__(self, path: Path, device: str, image: tuple[int, int, int]) -> None:
        """device: "cpu", "cuda" or "cuda:N"; without onnxruntime's CUDA provider a GPU's run uses the CPU.

        image: (channels, height, width). Raises UserError if onnxruntime is missing or can not run the file on that.
        """
        runtime, refusals = _onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        providers: list[Any] = ["CPUExecutionProvider"]
        if device != "cpu" and "CUDAExecutionProvider" in runtime.get_available_providers():
            # TF32 would move results by more than a CPU and a GPU may differ by.
            number = int(device.partition(":")[2] or 0)
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": number, "use_tf32": 0}))
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=providers)
        except refusals as error:
            reason = " ".join(str(error).split())[:160]
            raise UserError(f"{path}: onnxruntime can not run it: {reason}") from None
        source = self._session.get_inputs()[0]
        sizes = source.shape[1:]
        wrong = len(sizes) != 3 or any(
            isinstance(s, int) and s != w for s, w in zip(sizes, image, strict=False)
        )
        if wrong or source.type != "tensor(float)":
            raise UserError(f"{path}: takes {source.type} {source.shape}, not float images of {list(image)}")
        self._input, self._image = source.name, image
        self._outputs = [output.name for output in self._session.get_outputs()]
        on_gpu = self._session.get_providers()[0] == "CUDAExecutionProvider"
        exported_for = source.shape[0]
        self.batch_size = exported_for if isinstance(exported_for, int) else CUDA_BATCH if on_gpu else 1

    def __call__(self, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """float32 [n, channels, height, width] -> the outputs by name, each with n in front."""
        parts: dict[str, list[NDArray]] = {name: [] for name in self._outputs}
        for start in range(0, max(len(images), 1), self.batch_size):
            some = images[start : start + self.batch_size]
            padded = np.zeros((self.batch_size, *self._image), np.float32)
            padded[: len(some)] = some
            for name, output in zip(
                self._outputs, self._session.run(None, {self._input: padded}), strict=True
            ):
                parts[name].append(output[: len(some)])
        return {name: np.concatenate(part) for name, part in parts.items()}


def _onnxruntime() -> tuple[Any, tuple[type[Exception], ...]]:
    """The module, and the exceptions with which it refuses a file."""
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state
    except ImportError:
        raise UserError("onnxruntime is not installed: pip install 'lpff-ray[onnx]'") from None
    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented")
    return onnxruntime, tuple(getattr(state, name) for name in (*names, "RuntimeException"))
