"""What NVlabs' stylegan2-ada-pytorch, stylegan3 and EG3D do with `--data`, re-stated: `training/dataset.py`."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


class ImageFolder:
    """Pictures uint8 [3, h, w] in the order of their names, and labels float32 [n, 25], int64 [n] or None.

    mode: of LPFF's forks, whose list of names says which pictures there are, and how often.
    """

    def __init__(self, path: Path, mode: str = "") -> None:
        self.archive = zipfile.ZipFile(path) if path.suffix == ".zip" else None
        names = (
            self.archive.namelist() if self.archive else [str(p.relative_to(path)) for p in path.rglob("*")]
        )
        self.path, endings = path, Image.registered_extensions()
        if mode:  # LPFF's forks (LPFF-eg3d, training/dataset.py): a list in the root is all that they go by
            names = json.loads(self.read(f"{mode}.json")) + sorted(name for name in names if "json" in name)
        self.names = sorted(name for name in names if Path(name).suffix.lower() in endings)
        assert self.names, "No image files found in the specified path"
        self.shape = self.picture(0).shape
        assert self.shape[1] == self.shape[2]
        assert self.shape[1] & (self.shape[1] - 1) == 0, "a power of two"
        self.labels: NDArray[Any] | None = None
        if "dataset.json" in names and (found := json.loads(self.read("dataset.json"))["labels"]) is not None:
            by_name = dict(found)
            labels = np.array([by_name[name.replace("\\", "/")] for name in self.names])
            self.labels = labels.astype({1: np.int64, 2: np.float32}[labels.ndim])

    def read(self, name: str) -> bytes:
        return self.archive.read(name) if self.archive else (self.path / name).read_bytes()

    def picture(self, index: int) -> NDArray[np.uint8]:
        pixels = np.array(Image.open(io.BytesIO(self.read(self.names[index]))))
        assert pixels.dtype == np.uint8
        return pixels.transpose(2, 0, 1)
