"""How many faces are found, by how far they are turned: one figure per bin of labelled yaw."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lpff_ray.config import MineConfig
from lpff_ray.measure.faces import FaceMeasurer

BINS = ((0, 30), (30, 60), (60, 75), (75, 91))
BORDER = 40  # pixels of black around AFLW's tight crops of 120 pixels
SCORES = (0.5, 0.8)


def evaluate(data: Path) -> str:
    """A Markdown table of the share of AFLW crops in which a face is found near the middle."""
    measurer = FaceMeasurer(MineConfig(min_face_px=20), "cpu")
    with (data / "pose" / "aflw_crops.csv").open() as file:
        rows = list(csv.DictReader(file))
    yaw = np.abs([float(row["yaw_deg"]) for row in rows])
    best = np.array(
        [best_score(measurer, padded(data / "pose" / "aflw_crops" / row["file"])) for row in rows]
    )
    lines = [
        "| yaw, degrees | " + " | ".join(f"{low}-{high}" for low, high in BINS) + " |",
        "|---|" + "---|" * len(BINS),
    ]
    for score in SCORES:
        found = [np.mean(best[(yaw >= low) & (yaw < high)] >= score) for low, high in BINS]
        lines.append(
            f"| found with `det_score` >= {score} | " + " | ".join(f"{share:.3f}" for share in found) + " |"
        )
    return f"{len(rows)} AFLW crops of 120 pixels.\n\n" + "\n".join(lines)


def padded(path: Path) -> NDArray[np.uint8]:
    """A crop, RGB, in the middle of a black border."""
    picture = cv2.copyMakeBorder(cv2.imread(str(path)), *[BORDER] * 4, cv2.BORDER_CONSTANT)
    return np.ascontiguousarray(picture[..., ::-1])


def best_score(measurer: FaceMeasurer, picture: NDArray[np.uint8]) -> float:
    """The score of the best face that covers the picture's middle, 0 if there is none."""
    found = measurer.detector.detect([picture])[0]
    middle = np.array(picture.shape[1::-1]) / 2
    covers = ((found.boxes[:, :2] < middle) & (found.boxes[:, 2:] > middle)).all(axis=1)
    return float(found.scores[covers].max(initial=0.0))
