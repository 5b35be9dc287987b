"""Measure the faces of pictures in memory or in photo files, without a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.config import MineConfig
from lpff_ray.decode.frame_source import Frame
from lpff_ray.decode.pictures.opening import open_photo
from lpff_ray.decode.pictures.photo import to_rgb
from lpff_ray.errors import UserError
from lpff_ray.measure.measurer import FaceMeasurer, Measurements
from lpff_ray.run.local import chosen_device
from lpff_ray.run.threads import single_threaded
from lpff_ray.tables import schema

_OF_A_RUN = ("face_id", "video_id", "uri", "clip_id", "segment_id", "track_id", "pts_ns")


class Analyzer:
    """Measures every face of pictures, and keeps its models between calls.

    analyzer = Analyzer()
    analyzer(["a.jpg", array, image])  # a table, one row per face
    """

    def __init__(self, config: MineConfig | None = None, device: str = "auto") -> None:
        """config: as for `mine`; its settings of sampling and decoding have no effect.

        device: "auto" (the GPU if torch sees one), "cpu", "cuda" or "cuda:N". Raises UserError if a model's file is
        missing, or the device absent.
        """
        self._measurer = FaceMeasurer(config or MineConfig(), chosen_device(device))

    def __call__(self, pictures: Sequence[Any]) -> pl.DataFrame:
        """Measure arrays, PIL images and paths, in any mixture and of any sizes.

        pictures: NumPy arrays uint8 [h, w, 3], RGB (OpenCV's are BGR: convert them first); PIL images of any mode,
        rotated by their EXIF orientation and converted to sRGB, as `mine` does with files; paths of photos.

        Returns the columns of the faces table that belong to a picture; `frame_index` is the index in `pictures`. The
        values are those of `mine`. Raises ValueError or TypeError for anything else, UserError for a file
        that can not be read; each names the picture.
        """
        taken = Measurements()
        with single_threaded():  # as a miner works: the last bits of some numbers depend on it
            for index, picture in enumerate(pictures):
                self._measurer.measure([Frame(index, 0, _rgb(index, picture))], taken)
            self._measurer.finish(taken)
        columns = schema.faces(self._measurer.embedding.width, self._measurer.extra_columns)
        return schema.frame(taken.columns, columns).drop(_OF_A_RUN)


def analyze(pictures: Sequence[Any], config: MineConfig | None = None, device: str = "auto") -> pl.DataFrame:
    """Measure every face of some pictures, once: see Analyzer, which keeps its models between calls."""
    return Analyzer(config, device)(pictures)


def _rgb(index: int, picture: Any) -> NDArray[np.uint8]:
    """The picture as uint8 [h, w, 3]."""
    if isinstance(picture, (str, Path)):
        try:
            with open_photo(str(picture)) as image:
                return to_rgb(image)
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"{picture}: not a photo that can be read: {error}") from error
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(
                f"picture {index} is {picture.dtype} {picture.shape}, not uint8 [height, width, 3], RGB"
            )
        return np.ascontiguousarray(picture)
    if hasattr(picture, "getexif") and hasattr(picture, "convert"):  # without importing PIL for arrays
        return to_rgb(picture)
    raise TypeError(f"picture {index} is a {type(picture).__name__}, not an array, a PIL image or a path")
