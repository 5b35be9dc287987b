"""The network whose features FID compares: a file of the user's, or an optional model, and the resizing before it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lpff_ray.errors import UserError
from lpff_ray.models import store

SIDE = 299  # pixels; Inception v3's
CLEAN, PYTORCH = "clean", "pytorch"
RESIZINGS = (CLEAN, PYTORCH)
TASK = "features"
ENDINGS = (".pt", ".jit", ".ts", ".torchscript", ".onnx")

Features = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""float32 [n, 3, SIDE, SIDE] RGB, 0..255 -> features float64 [n, d]."""


def load_features(network: str, device: str) -> Features:
    """The network: an optional model with the task "features", or a file that ends with one of ENDINGS.

    A file is TorchScript or ONNX; neither is ever unpickled. It takes float32 [n, 3, 299, 299], RGB in 0..255, and
    gives [n, d] or [n, d, 1, 1]. NVIDIA's Inception of 2015 (`inception-2015-12-05.pt`), which clean-fid uses too, is
    known by its `layers` and gets what they take.
    Raises UserError if there is no such model or file, or it can not be used.
    """
    if network.endswith(ENDINGS):
        path = Path(network)
        if not path.is_file():
            raise UserError(
                f"--network {network}: no such file; give a TorchScript or ONNX file, or a model's name"
            )
    else:
        card = store.plugin(network)
        if card.task != TASK:
            raise UserError(f"--network {network}: its task is {card.task}; FID takes one for {TASK}")
        path = store.plugin_files(card)[0]
    return _onnx(path, device) if path.suffix == ".onnx" else _torchscript(path, device)


def resized(picture: NDArray[np.uint8], resizing: str) -> NDArray[np.float32]:
    """A picture uint8 [h, w, 3] as the network takes it, float32 [3, SIDE, SIDE], 0..255.

    "clean": Pillow's antialiased bicubic filter on floating point, no rounding: clean-fid's (Parmar et al., On Aliased
    Resizing, 2022). "pytorch": torch's bilinear interpolation without antialiasing, as pytorch-fid resizes.
    """
    if resizing == CLEAN:
        planes = [Image.fromarray(picture[..., channel].astype(np.float32)) for channel in range(3)]
        small = [plane.resize((SIDE, SIDE), Image.Resampling.BICUBIC) for plane in planes]
        return np.stack([np.asarray(plane, np.float32) for plane in small]).clip(0, 255)
    import torch  # seconds

    batch = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32))
    scaled = torch.nn.functional.interpolate(batch, (SIDE, SIDE), mode="bilinear", align_corners=False)
    return np.asarray(scaled[0].numpy(), np.float32)


def _torchscript(path: Path, device: str) -> Features:
    import torch

    try:
        module = torch.jit.load(str(path), map_location=device).eval()
    except (RuntimeError, ValueError, OSError) as error:
        raise UserError(f"{path}: no TorchScript file: {str(error).splitlines()[0][:160]}") from None
    layers = getattr(module, "layers", None)

    def features(batch: NDArray[np.float32]) -> NDArray[np.float64]:
        with torch.inference_mode():
            x = torch.from_numpy(batch).to(device)
            try:
                found = module(x) if layers is None else layers((x - 128) / 128)
            except RuntimeError as error:
                raise UserError(
                    f"{path}: can not be run on {list(batch.shape)}: {_last_line(error)}"
                ) from None
        return _flat(path, found.cpu().numpy() if isinstance(found, torch.Tensor) else found, len(batch))

    return features


def _onnx(path: Path, device: str) -> Features:
    from lpff_ray.models.optional.onnx_file import OnnxFile

    network = OnnxFile(path, device, (3, SIDE, SIDE))
    return lambda batch: _flat(path, next(iter(network(batch).values())), len(batch))


def _flat(path: Path, found: Any, count: int) -> NDArray[np.float64]:
    shape: tuple[int, ...] = tuple(getattr(found, "shape", ()))
    if len(shape) < 2 or shape[0] != count or any(side != 1 for side in shape[2:]):
        raise UserError(
            f"{path}: gives {list(shape) or type(found).__name__}, not features [n, d] or [n, d, 1, 1]"
        )
    return np.asarray(found, np.float64).reshape(count, shape[1])


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1][:160]
