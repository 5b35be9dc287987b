"""Measure pictures that are already in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.config import MineConfig
from lpff_ray.decode.frame_source import Frame
from lpff_ray.measure.measurer import FaceMeasurer, Measurements
from lpff_ray.run.threads import single_threaded
from lpff_ray.tables import schema

_OF_A_RUN = ("face_id", "video_id", "uri", "clip_id", "segment_id", "track_id", "pts_ns")


def analyze(
    images: Sequence[NDArray[np.uint8]], config: MineConfig | None = None, device: str = "cpu"
) -> pl.DataFrame:
    """Measure every face of RGB pictures uint8 [h, w, 3], of any sizes.

    Returns the columns of the faces table that belong to a picture; `frame_index` is the place in `images`. The
    numbers are those that `mine` would give. Raises ValueError for anything but uint8 RGB arrays.
    """
    measurer, taken = FaceMeasurer(config or MineConfig(), device), Measurements()
    with single_threaded():  # as a miner works: the last bits depend on it
        _measure(measurer, images, taken)
    return schema.frame(taken.columns, schema.faces(measurer.embedder.width)).drop(_OF_A_RUN)


def _measure(measurer: FaceMeasurer, images: Sequence[NDArray[np.uint8]], taken: Measurements) -> None:
    for index, image in enumerate(images):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"image {index} is {image.dtype} {image.shape}, not uint8 [height, width, 3]")
        measurer.measure([Frame(index, 0, np.ascontiguousarray(image))], taken)
    measurer.finish(taken)
