"""The measures of a face's picture: sharpness and image quality, brightness, and the perceptual hash."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lpff_ray.measure import columns
from lpff_ray.measure.contract import FaceBatch, Measure, Values
from lpff_ray.measure.quality import appearance, image_quality
from lpff_ray.models.store import plugin, plugin_files

Scorer = Callable[[Sequence[NDArray[np.uint8]], NDArray], NDArray[np.float32]]
"""Scores [n], 0..100, of the faces in boxes [n, 4] of pictures, one per face."""


class ImageQuality(Measure):
    """`sharpness` and `iqa` by the network that ships with the package; `iqa` by another scorer, if one is given."""

    name = "image_quality"
    columns = columns.IMAGE_QUALITY

    def __init__(self, device: str, scorer: Scorer | None = None) -> None:
        """device: of the scorer; our own network is small and runs on the CPU."""
        super().__init__(device)
        self._scorer = scorer

    def measure(self, faces: FaceBatch) -> Mapping[str, Values]:
        """See image_quality.quality."""
        found = [
            image_quality.quality(picture, box)
            for picture, box in zip(faces.pictures, faces.inner_boxes.astype(np.float64), strict=True)
        ]
        iqa: Values = [quality.iqa for quality in found]
        if self._scorer is not None:
            iqa = self._scorer(faces.pictures, faces.inner_boxes)
        return {"sharpness": [quality.sharpness for quality in found], "iqa": iqa}


class Brightness(Measure):
    """`brightness`, EFHQ's formula."""

    name = "brightness"
    columns = columns.BRIGHTNESS

    def measure(self, faces: FaceBatch) -> Mapping[str, Values]:
        """See appearance.brightness."""
        boxes = faces.inner_boxes.astype(np.float64)
        return {
            "brightness": [
                appearance.brightness(picture, box)
                for picture, box in zip(faces.pictures, boxes, strict=True)
            ]
        }


class PerceptualHash(Measure):
    """`phash` of the aligned chip."""

    name = "perceptual_hash"
    columns = columns.PERCEPTUAL_HASH

    def measure(self, faces: FaceBatch) -> Mapping[str, Values]:
        """See appearance.perceptual_hash."""
        return {"phash": [appearance.perceptual_hash(chip) for chip in faces.aligned_chips]}


def embedded(device: str) -> ImageQuality:
    """The `iqa` that needs no other model."""
    return ImageQuality(device)


def hyperiqa(device: str) -> ImageQuality:
    """`iqa` by HyperIQA, whose scale EFHQ's threshold of 42 is on. Raises UserError if its file can not be used."""
    from lpff_ray.measure.quality.hyperiqa import HyperIqaScorer  # not above: it loads torch

    return ImageQuality(device, HyperIqaScorer(plugin_files(plugin("hyperiqa"))[0], device))
