"""Faces turned in the picture plane: photos are turned by any angle, and the pose has to turn with them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from lpff_ray.config import MineConfig
from lpff_ray.decode.frame_source import Frame
from lpff_ray.geometry.rotation import angles_from_matrix, geodesic_degrees, matrix_from_angles
from lpff_ray.measure.measurer import FaceMeasurer, Measurements

ANGLES = np.arange(0, 360, 15)
GROUPS = ((0, 15), (30, 45), (60, 75), (90, 105), (120, 135), (150, 165, 180))
"""Angles of one row of the table, with those that mirror them."""
WRONG = 30.0  # degrees of error from which a pose misleads
LFW_STEP = 4


def evaluate(data: Path) -> str:
    """Markdown: what is found of turned photos, and how far its pose is from the upright photo's, turned with it."""
    product = FaceMeasurer(MineConfig(), "cpu")
    photos = sorted((data / "pose" / "aflw2000_16").glob("*.jpg"))
    photos += sorted((data / "identity" / "lfw10").glob("*/*.jpg"))[::LFW_STEP]
    errors: dict[str, dict[int, list[float]]] = {"yaw below 45": {}, "yaw from 45 on": {}}
    for path in photos:
        picture = cv2.imread(str(path))[..., ::-1]
        height, width = picture.shape[:2]
        upright = faces(product, picture)
        if not upright:
            continue
        middle, rotation = min(upright, key=lambda face: np.abs(face[0] - [width / 2, height / 2]).sum())
        row = errors["yaw below 45" if abs(angles_from_matrix(rotation)[0]) < 45 else "yaw from 45 on"]
        for angle in ANGLES:
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(angle), 0.8)
            turned = cv2.warpAffine(picture, matrix, (width, height))
            there = matrix @ np.append(middle, 1.0)
            # Anticlockwise in the picture, where y points down.
            wanted = Rotation.from_euler("z", -angle, degrees=True).as_matrix() @ rotation
            found = [
                float(geodesic_degrees(pose, wanted))
                for at, pose in faces(product, turned)
                if np.abs(at - there).max() < 0.15 * max(width, height)
            ]
            row.setdefault(int(min(angle, 360 - angle)), []).append(min(found, default=np.nan))
    lines = [
        f"{len(photos)} photos (AFLW2000-3D and LFW) turned about their middle: share of faces found; the pose's error "
        "against that of the upright photo, turned with it, degrees, median; share of rows that are off by more than "
        f"{WRONG:.0f} degrees.",
        "",
        "| turned by | " + " | ".join(errors) + " |",
        "|---|" + "---|" * len(errors),
    ]
    for group in GROUPS:
        cells = []
        for by_angle in errors.values():
            values = np.concatenate([by_angle.get(angle, []) for angle in group])
            known = values[~np.isnan(values)]
            cells.append(
                f"{len(known) / len(values):.2f}; {np.median(known):.1f}; {np.mean(known > WRONG):.2f}"
                if len(known)
                else ""
            )
        lines.append(f"| {' to '.join(map(str, (group[0], group[-1])))} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def faces(product: FaceMeasurer, picture: NDArray[np.uint8]) -> list[tuple[NDArray, NDArray]]:
    """Middle of the box [2] and rotation [3, 3] of every face of a picture."""
    columns = Measurements()
    product.measure([Frame(0, 0, np.ascontiguousarray(picture))], columns)
    boxes = np.array(columns.columns["bbox"]).reshape(-1, 4)
    angles = (np.array(columns.columns[name], float) for name in ("yaw", "pitch", "roll"))
    rotations = matrix_from_angles(*angles)
    return list(zip((boxes[:, :2] + boxes[:, 2:]) / 2, rotations, strict=True))
