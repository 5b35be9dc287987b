"""Draws what the columns of a face mean.

    python -m benchmarks.accuracy.boxes --data ../shared/data --out docs/boxes.png

A public-domain portrait (scikit-image's), and renders of the CC-BY head scan of Lee Perry-Smith at known angles.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from skimage.data import astronaut

import lpff_ray
from lpff_ray.geometry.rotation import matrix_from_direction
from training.render import HeadScan

SIDE = 360  # pixels of a tile
TURNS = ((0, 0, 0), (45, 15, 0), (-90, -20, 0))  # azimuth, elevation, tilt in degrees
BOX, POINTS, LANDMARKS, NOSE = (60, 220, 60), (255, 70, 70), (255, 220, 0), (0, 220, 255)


def main(
    data: Annotated[Path, typer.Option(help="The shared data folder.")],
    out: Annotated[Path, typer.Option(help="The picture.")],
) -> None:
    """Write the picture."""
    portrait = cv2.resize(astronaut()[0:300, 75:375], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    pictures = [portrait, *(render(HeadScan(data / "mesh"), *turn) for turn in TURNS)]
    found = lpff_ray.analyze(pictures).sort("det_score").unique("frame_index", keep="last")
    tiles = [
        drawn(pictures[row["frame_index"]], row) for row in found.sort("frame_index").iter_rows(named=True)
    ]
    cv2.imwrite(str(out), np.hstack(tiles)[..., ::-1])


def render(scan: HeadScan, azimuth: float, elevation: float, tilt: float) -> NDArray[np.uint8]:
    """The head scan, evenly lit, before grey."""
    rotation = matrix_from_direction(*(np.array(float(angle)) for angle in (azimuth, elevation, tilt)))
    grey = np.full((SIDE, SIDE, 3), 90, np.uint8)
    return scan.render(rotation, grey, np.random.default_rng(0), vary=False)


def drawn(picture: NDArray[np.uint8], row: dict) -> NDArray[np.uint8]:
    """A picture with box, landmarks, keypoints and the direction of the nose, and what the columns say."""
    image = picture.copy()
    x0, y0, x1, y1 = (round(value) for value in row["bbox"])
    cv2.rectangle(image, (x0, y0), (x1, y1), BOX, 2)
    for x, y, _ in row["landmarks"]:
        cv2.circle(image, (round(x), round(y)), 1, LANDMARKS, -1)
    for x, y in row["keypoints"]:
        cv2.circle(image, (round(x), round(y)), 3, POINTS, -1)
    azimuth, elevation = np.radians([row["azimuth"], row["elevation"]])
    x, y = row["keypoints"][2]
    away = np.array([-np.sin(azimuth) * np.cos(elevation), -np.sin(elevation)]) * 70
    cv2.arrowedLine(image, (round(x), round(y)), (round(x + away[0]), round(y + away[1])), NOSE, 2)
    lines = (
        f"azimuth {row['azimuth']:.0f} elevation {row['elevation']:.0f} tilt {row['tilt']:.0f}",
        f"yaw {row['yaw']:.0f} pitch {row['pitch']:.0f} roll {row['roll']:.0f}",
        f"{row['pose_bin']}, face_px {row['face_px']:.0f}",
    )
    for number, line in enumerate(lines):
        place = (6, 16 + 16 * number)
        cv2.putText(image, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(image, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return image


if __name__ == "__main__":
    typer.run(main)
