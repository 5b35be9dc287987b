"""Copies of clips as they are found on the web: at a low bitrate, or smaller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

# Scale of the frame, and H.264's constant rate factor (0 lossless .. 51).
QUALITIES = ((1.0, 33), (0.6, 23))


def low_quality_copies(paths: Sequence[str], folder: Path) -> list[str]:
    """Write a copy of each clip into `folder`, at the next of QUALITIES; returns their paths."""
    copies = [str(folder / f"copy_of_{Path(path).name}") for path in paths]
    for path, copy, (scale, crf) in zip(paths, copies, cycle(QUALITIES), strict=False):
        _encode(copy, _frames(path, scale), crf)
    return copies


def _frames(path: str, scale: float) -> Iterator[NDArray[np.uint8]]:
    with av.open(path) as container:
        for frame in container.decode(video=0):
            pixels = frame.to_ndarray(format="rgb24")
            yield cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _encode(path: str, pictures: Iterator[NDArray[np.uint8]], crf: int) -> None:
    """An h264 clip at 25 frames a second."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.pix_fmt, stream.options = "yuv420p", {"crf": str(crf)}
        for number, picture in enumerate(pictures):
            even = np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])
            if not number:
                stream.height, stream.width = even.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode())
