"""Runs networks on the CPU with OpenVINO, one thread to each caller."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpff_ray.errors import UserError
from lpff_ray.models.openvino_core import openvino_core
from lpff_ray.models.precision import Precision, chosen_precision

# Pinning would tie the thread that calls, and all that it does afterwards, to one core.
SETTINGS = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
# What OpenVINO computes in. Without bfloat16 instructions it falls back to float32 by itself.
HINTS = {Precision.EXACT: "f32", Precision.FAST: "bf16"}


class OpenVinoNetwork:
    """A network on arrays of the shapes that it was made for. Threads may share one.

    It is compiled once for each thread that calls it: one compiled network would serve them one after the other.
    """

    def __init__(self, model: Any, precision: Precision | None = None) -> None:
        """model: openvino.Model with one input. precision: None for the one chosen for the run."""
        self._model = model
        self._hint = HINTS[precision or chosen_precision()]
        self._lock = threading.Lock()
        self._of_thread = threading.local()
        self._request()

    def __call__(self, batch: NDArray) -> list[NDArray[np.float32]]:
        """The outputs for one contiguous array, in the model's order."""
        request = self._request()
        request.infer([batch], share_inputs=True)
        return [output.data.astype(np.float32) for output in request.output_tensors]  # a copy

    def _request(self) -> Any:
        request = getattr(self._of_thread, "request", None)
        if request is None:
            settings = {**SETTINGS, "INFERENCE_PRECISION_HINT": self._hint}
            with self._lock:
                compiled = openvino_core().compile_model(self._model, "CPU", settings)
            request = self._of_thread.request = compiled.create_infer_request()
        return request


def read_onnx(path: Path) -> Any:
    """The openvino.Model of a file. Raises UserError if it can not be read."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        return openvino_core().read_model(path)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not an ONNX model, or damaged: {reason[:200]}") from None
