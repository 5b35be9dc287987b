"""Detectors, pose estimators, embeddings and measures by name. To add one takes a file and a line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lpff_ray.registry import Registry

if TYPE_CHECKING:
    from lpff_ray.measure.contract import AnyMeasure
    from lpff_ray.measure.detection.detections import Detector
    from lpff_ray.measure.identity.embeddings import Embedding

DETECTORS: Registry[Callable[[str, float, float], Detector]] = Registry(
    "detector",
    "lpff_ray.detectors",
    {
        "centerface": "lpff_ray.measure.detection.centerface:load_centerface",
        "blazeface": "lpff_ray.measure.detection.blazeface:load_blazeface",
        "yunet": "lpff_ray.measure.detection.yunet:load_yunet",
    },
)
"""Makes a detector from device, min_face_px and min_det_score."""

ESTIMATORS: Registry[
    Callable[[str], Callable[[Sequence[NDArray[np.uint8]], NDArray], NDArray[np.float64]]]
] = Registry(
    "pose estimator",
    "lpff_ray.estimators",
    {
        "fsanet": "lpff_ray.measure.pose.estimators:load_fsanet",
        "3ddfa_v2": "lpff_ray.measure.pose.estimators:load_ddfa",
        "6drepnet": "lpff_ray.measure.pose.estimators:load_sixdrepnet",
        "synergynet": "lpff_ray.measure.pose.estimators:load_synergynet",
    },
)
"""Makes an estimator from a device: pictures, one per face, and boxes [n, 4] -> rotations [n, 3, 3], head to camera."""

EMBEDDINGS: Registry[Embedding] = Registry(
    "embedding",
    "lpff_ray.embeddings",
    {
        "dlib-resnet": "lpff_ray.measure.identity.embeddings:DLIB",
        "arcface-r50": "lpff_ray.measure.identity.embeddings:ARCFACE_R50",
        "arcface-r100": "lpff_ray.measure.identity.embeddings:ARCFACE_R100",
        "arcface-w600k": "lpff_ray.measure.identity.embeddings:ARCFACE_W600K",
    },
)
"""Identity embeddings."""

IMAGE_QUALITY: Registry[Callable[[str], AnyMeasure]] = Registry(
    "image quality measure",
    "lpff_ray.image_quality",
    {
        "embedded": "lpff_ray.measure.quality.measures:embedded",
        "hyperiqa": "lpff_ray.measure.quality.measures:hyperiqa",
    },
)
"""Makes the measure of the columns `sharpness` and `iqa` from a device."""

MEASURES: Registry[type[AnyMeasure]] = Registry(
    "measure", "lpff_ray.measures", {"gaze": "lpff_ray.measure.expression.gaze:Gaze"}
)
"""Classes of measures of additional columns, made with a device: `mine --measures NAME,...`."""
