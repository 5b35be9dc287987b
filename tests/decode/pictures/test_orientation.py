"""Where a TIFF's orientation is planned, a crop of it lies where it lies in a JPEG of the same picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import paint, read_index
from PIL import Image

from lpff_ray.decode import open_source
from lpff_ray.plan.crop import Crop
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos

STORED = {3: lambda image: np.rot90(image, 2), 6: np.rot90, 8: lambda image: np.rot90(image, -1)}


@pytest.mark.parametrize("orientation", STORED)
def test_tiff_and_jpeg_agree(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](paint(1234, 64, 48))))
    sources = []
    for ending in ("jpg", "tif"):
        path = tmp_path / f"a.{ending}"
        stored.save(path, exif=exif)
        sources.append(Source(str(path), crop=Crop.of((32, 0, 64, 48))))
        with open_source(str(path), "photo") as source:
            (frame,) = source.frames([0])
        assert frame.rgb.shape == (48, 64, 3)
        assert read_index(frame.rgb) == 1234
    for video in plan_videos(sources):
        assert (video.width, video.height, video.crop) == (64, 48, (32, 0, 64, 48))
