"""Head-pose estimators of others that label faces for training: FSA-Net, 3DDFA_V2 (both MIT, `data/weights`), FaceMesh.

The first two are the product's own plug-ins. Rotations are head to camera; frames and angles as in
`lpff_ray.geometry.rotation`.
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
    """A plug-in of the product, on one face at a time."""

    def __init__(self, name: str, folder: Path) -> None:
        """folder: where the files of the plug-in's card are."""
        paths = [folder / file.name for file in load_plugins()[name].files]
        self._vote: Any = ESTIMATORS.load(name)("cpu", paths)

    def __call__(self, image: NDArray[np.uint8], centre: NDArray, side: float) -> NDArray[np.float64]:
        """Rotation [3, 3] of the face whose BlazeFace box has this centre and side (pixels) in an RGB image."""
        return self._vote([image], np.concatenate([centre - side / 2, centre + side / 2])[None])[0]


class DdfaPlace:
    """Where 3DDFA_V2 sees the middle of eyes, nose tip and mouth corners, and how large the face: holds to profile.

    Its model's origin and unit are not ours. The constants are least squares against FaceMesh's points and scale on 758
    faces within 25 degrees of the front, where both differ by 1.2% of the box's side, and by 3.5% in scale.
    """

    MIDDLE = np.array([0.0, -10026.0, 97134.0])  # in its model, whose y is up
    CENTIMETRE = float(np.exp(9.2462))

    def __init__(self, folder: Path) -> None:
        self._network = Ddfa(folder / load_plugins()["3ddfa_v2"].files[0].name, "cpu")

    def __call__(self, image: NDArray[np.uint8], centre: NDArray, side: float) -> NDArray[np.float64]:
        """x, y in pixels of an RGB image and pixels per cm [3], of the face whose BlazeFace box is given."""
        places = []
        for factor in DDFA_FACTORS:
            transform = crop_transform(centre, side * factor, 0.0, Ddfa.side)
            crop = warp_crop(image, transform, Ddfa.side)
            affine = self._network(np.stack([crop, np.ascontiguousarray(crop[:, ::-1])])).astype(np.float64)
            spots = affine[:, :2, :3] @ self.MIDDLE + affine[:, :2, 3]
            spots[:, 1] = Ddfa.side - spots[:, 1]
            spots[1, 0] = Ddfa.side - spots[1, 0]
            scale = np.sqrt(np.linalg.svd(affine[:, :2, :3], compute_uv=False).prod(1)) * self.CENTIMETRE
            back = invert(transform)
            places += list(np.column_stack([apply(back, spots), scale * scale_of(back)]))
        return np.mean(places, axis=0)


class FaceMeshFit:
    """The product's own rigid fit of FaceMesh's points: better than the others in pitch, worthless at profile."""

    def __init__(self) -> None:
        self._mesh = FaceMesh(load_cards()["facemesh"].path(), "cpu")

    def __call__(self, image: NDArray[np.uint8], centre: NDArray, side: float) -> NDArray[np.float64]:
        """Rotation [3, 3] of the face whose BlazeFace box has this centre and side (pixels) in an RGB image."""
        box = np.concatenate([centre - side / 2, centre + side / 2])
        keypoints = np.tile(centre, (6, 1))
        keypoints[1, 0] += 1  # eyes that are level, until the first look shows how they are
        for _ in range(2):
            points = self._mesh([image], box[None], keypoints[None]).points
            keypoints[:2] = five_points(points)[0, :2, :2]
        return fit_mesh(points).rotation[0]
