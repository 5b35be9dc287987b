"""The teachers: published head-pose estimators that label faces for training. FSA-Net, 3DDFA_V2 (both MIT), FaceMesh.

The first two are optional models of the product; their files are in `data/weights`. Rotations are head to camera;
frames and angles as in `lpff_ray.geometry.rotation`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.head_model import five_points
from lpff_ray.geometry.transforms import apply, crop_transform, invert, scale_of, warp_crop
from lpff_ray.measure.pose.estimators import DDFA_FACTORS
from lpff_ray.measure.pose.fits import fit_mesh
from lpff_ray.measure.pose.landmarks import FaceMesh
from lpff_ray.measure.registry import ESTIMATORS
from lpff_ray.models.cards import load_cards, load_plugins
from lpff_ray.models.optional.ddfa import Ddfa


class PluginTeacher:
    """An optional pose estimator of the product, on one face at a time."""

    def __init__(self, name: str, folder: Path) -> None:
        """folder: where the files of the plug-in's card are."""
        paths = [folder / file.name for file in load_plugins()[name].files]
        self._vote: Any = ESTIMATORS.load(name)("cpu", paths)

    def __call__(self, image: NDArray[np.uint8], centre: NDArray, side: float) -> NDArray[np.float64]:
        """Rotation [3, 3] of the face whose BlazeFace box has this centre and side (pixels) in an RGB image."""
        return self._vote([image], np.concatenate([centre - side / 2, centre + side / 2])[None])[0]


class DdfaPosition:
    """Position of the middle of eyes, nose tip and mouth corners, and size of the face, by 3DDFA_V2: right to profile.

    Its model has another origin and unit than ours; the constants convert them.
    Evidence: docs/evidence/pose.md#labels-for-training
    """

    MIDDLE = np.array([0.0, -10026.0, 97134.0])  # in its model, whose y is up
    CENTIMETRE = float(np.exp(9.2462))

    def __init__(self, folder: Path) -> None:
        self._network = Ddfa(folder / load_plugins()["3ddfa_v2"].files[0].name, "cpu")

    def __call__(self, image: NDArray[np.uint8], centre: NDArray, side: float) -> NDArray[np.float64]:
        """x, y in pixels of an RGB image and pixels per cm [3], of the face whose BlazeFace box is given."""
        positions = []
        for factor in DDFA_FACTORS:
            transform = crop_transform(centre, side * factor, 0.0, Ddfa.side)
            crop = warp_crop(image, transform, Ddfa.side)
            affine = self._network(np.stack([crop, np.ascontiguousarray(crop[:, ::-1])])).astype(np.float64)
            spots = affine[:, :2, :3] @ self.MIDDLE + affine[:, :2, 3]
            spots[:, 1] = Ddfa.side - spots[:, 1]
            spots[1, 0] = Ddfa.side - spots[1, 0]
            scale = np.sqrt(np.linalg.svd(affine[:, :2, :3], compute_uv=False).prod(1)) * self.CENTIMETRE
            back = invert(transform)
            positions += list(np.column_stack([apply(back, spots), scale * scale_of(back)]))
        return np.mean(positions, axis=0)


class FaceMeshFit:
    """The product's rigid fit of FaceMesh's points: better than the others in pitch, of no use at profile."""

    def __init__(self) -> None:
        self._mesh = FaceMesh(load_cards()["facemesh"].path(), "cpu")

    def __call__(self, image: NDArray[np.uint8], centre: NDArray, side: float) -> NDArray[np.float64]:
        """Rotation [3, 3] of the face whose BlazeFace box has this centre and side (pixels) in an RGB image."""
        box = np.concatenate([centre - side / 2, centre + side / 2])
        upright = np.zeros(1)  # level eyes, until the first run shows how they are
        for _ in range(2):
            points = self._mesh([image], box[None], upright).points
            right, left = five_points(points)[0, :2, :2]
            upright = np.arctan2(left[1] - right[1], left[0] - right[0])[None]
        return fit_mesh(points).rotation[0]
