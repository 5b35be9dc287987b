"""The mean head that poses are fitted to: a mesh with FaceMesh's topology, and BlazeFace's keypoints on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

# FaceMesh's points of the five-point scheme: eye corners (their mean is the eye), nose tip, mouth corners.
EYE_CORNERS = ((33, 133), (362, 263))
NOSE_TIP = 1
MOUTH_CORNERS = (61, 291)


@dataclass(frozen=True)
class HeadModel:
    """Mean shapes in the head frame, centimetres.

    mesh: float64 [468, 3], FaceMesh's own mean over near-frontal faces, symmetric, 9.0 cm between outer eye corners
    (mean adult biocular breadth). keypoints: float64 [6, 3], where BlazeFace puts its keypoints.
    """

    mesh: NDArray[np.float64]
    keypoints: NDArray[np.float64]

    def five_points(self) -> NDArray[np.float64]:
        """Eyes, nose tip and mouth corners [5, 3], the subject's right first."""
        return five_points(self.mesh)


@lru_cache(maxsize=1)
def head_model() -> HeadModel:
    """The head model that ships with the package: FaceMesh's mean shape on near-frontal faces."""
    with resources.files("lpff_ray.geometry").joinpath("head_model.npz").open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        return HeadModel(
            mesh=arrays["mesh"].astype(np.float64), keypoints=arrays["keypoints"].astype(np.float64)
        )


def five_points(mesh: NDArray) -> NDArray[np.float64]:
    """Eyes, nose tip and mouth corners [..., 5, d] of meshes [..., 468, d], the subject's right first."""
    eyes = [mesh[..., list(corners), :].mean(-2) for corners in EYE_CORNERS]
    points = [*eyes, mesh[..., NOSE_TIP, :], *(mesh[..., corner, :] for corner in MOUTH_CORNERS)]
    return np.stack(points, -2)
