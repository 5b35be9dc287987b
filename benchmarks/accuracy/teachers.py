"""Head-pose estimators of others that label faces for training: FSA-Net, 3DDFA_V2 (both MIT, `data/weights`), FaceMesh.

The first two are the product's own plug-ins. Rotations are head to camera; frames and angles as in
`lpff_ray.measure.rotation`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lpff_ray.measure.landmarks import FaceMesh
from lpff_ray.measure.pose import fit_mesh, five_points
from lpff_ray.measure.pose_votes import load_voter
from lpff_ray.models.cards import load_cards, load_plugins


class PluginTeacher:
    """A plug-in of the product, on one face at a time."""

    def __init__(self, name: str, folder: Path) -> None:
        """folder: where the files of the plug-in's card are."""
        paths = [folder / file.name for file in load_plugins()[name].files]
        self._vote = load_voter(name, paths, "cpu")

    def __call__(self, image: NDArray[np.uint8], centre: NDArray, side: float) -> NDArray[np.float64]:
        """Rotation [3, 3] of the face whose BlazeFace box has this centre and side (pixels) in an RGB image."""
        return self._vote([image], np.concatenate([centre - side / 2, centre + side / 2])[None])[0]


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
