"""68 points of a face that can be drawn and trusted also where FaceMesh can not see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.measure.landmarks import SCHEME_68
from lpff_ray.measure.pose import head_model
from lpff_ray.measure.rotation import matrix_from_angles

COLUMNS = ("landmarks", "keypoints", "face_px", "yaw", "pitch", "roll")
"""What `points_68` reads of the faces table."""

# Where the 68 points show the five `keypoints` (all but the nose tip, which is another): means of eye corners, and
# mouth corners, image-left first.
FIVE_IN_68 = ((36, 39), (42, 45), (30, 30), (48, 48), (54, 54))
COMPARED = [0, 1, 3, 4]

# FaceMesh's share falls from one to nothing over these. Past 60 degrees its landmarks are unreliable (docs/tables.md).
# Mining moves `keypoints` off FaceMesh's points where it is unsure of them: on 1,157 faces of 22 clips they lie 0 of
# the face's width apart in half of the frontal ones, and 0.06 to 0.08 in half of those past 60 degrees.
FADE_YAW = (50.0, 65.0)
FADE_DISTANCE = (0.03, 0.10)


def points_68(faces: pl.DataFrame) -> NDArray[np.float64]:
    """68 points [n, 68, 3] of faces with COLUMNS: x, y in frame pixels, z in pixels, smaller nearer.

    The table's landmarks where FaceMesh is sure; at profile, or where `keypoints` contradict them, the head model in
    the row's measured pose, laid onto `keypoints`; in between, a mixture: a turning head's points do not jump.
    """
    seen = faces["landmarks"].to_numpy().astype(np.float64).reshape(-1, 68, 3)
    five = faces["keypoints"].to_numpy().astype(np.float64).reshape(-1, 5, 2)
    modelled = _posed_model(faces, five)
    share = mesh_share(faces)[:, None, None]
    # Each counts z from an origin of its own.
    seen[..., 2] -= seen[..., 2].mean(1, keepdims=True)
    modelled[..., 2] -= modelled[..., 2].mean(1, keepdims=True)
    return modelled + share * (seen - modelled)


def mesh_share(faces: pl.DataFrame) -> NDArray[np.float64]:
    """How far the table's landmarks are to be trusted, 0..1 [n]."""
    seen = faces["landmarks"].to_numpy().astype(np.float64).reshape(-1, 68, 3)[..., :2]
    five = np.stack([seen[:, list(pair)].mean(1) for pair in FIVE_IN_68], 1)
    apart = np.linalg.norm(five - faces["keypoints"].to_numpy(), axis=2)[:, COMPARED].mean(1)
    width = faces["face_px"].to_numpy()
    agreement = np.interp(apart / np.maximum(width, 1.0), FADE_DISTANCE, (1.0, 0.0))
    return agreement * np.interp(np.abs(faces["yaw"].to_numpy()), FADE_YAW, (1.0, 0.0))


def frame_points(row: Mapping[str, Any]) -> NDArray[np.float64]:
    """The column that `with_points` adds, of one row [68, 3]."""
    return np.asarray(row["points_68"], np.float64).reshape(68, 3)


def with_points(faces: pl.DataFrame) -> pl.DataFrame:
    """The table without its landmarks and with `points_68`: f32 [68, 3], as `points_68` gives."""
    points = points_68(faces).astype(np.float32)
    column = pl.Series("points_68", points, pl.Array(pl.Float32(), (68, 3)))
    return faces.drop("landmarks").with_columns(column)


def _posed_model(faces: pl.DataFrame, five: NDArray) -> NDArray[np.float64]:
    """The head model's 68 points [n, 68, 3] in the faces' poses, scaled and moved onto keypoints [n, 5, 2]."""
    rotation = matrix_from_angles(*(faces[name].to_numpy() for name in ("yaw", "pitch", "roll")))
    posed = np.einsum("nij,kj->nki", rotation, head_model().five_points())
    middle, target = posed.mean(1, keepdims=True), five.mean(1, keepdims=True)
    flat = (posed - middle)[..., :2]
    scale = (flat * (five - target)).sum((1, 2)) / np.maximum((flat**2).sum((1, 2)), 1e-9)
    points = np.einsum("nij,kj->nki", rotation, head_model().mesh[SCHEME_68]) - middle
    points *= np.maximum(scale, 1e-3)[:, None, None]
    points[..., :2] += target
    return points
