"""Where Deep3DFaceRecon's zero of pitch, that of FFHQ's and LPFF's labels, lies against the faces table's.

    python -m benchmarks.pitch_zero --data ../shared/data

Deep3DFaceRecon's weights are not at hand; its five points in its own zero pose are published
(`similarity_Lm3D_all.mat`). They are fitted to the five keypoints that we measure, rigidly in weak perspective; the
pitch of that fit is compared with the table's and with the true one, of a render or of 300W-LP's labels.
Evidence: docs/evidence/selection.md#the-zero-of-pitch
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

import lpff_ray
from lpff_ray.geometry.rotation import angles_from_matrix, matrix_from_angles
from training.render import HeadScan

# Deep3DFaceRecon's five points, decimetres, y up and z out of the face; here y down and z into it.
DEEP3D = np.array(
    [[-0.31, 0.29, 0.13], [0.31, 0.29, 0.13], [0, -0.05, 0.55], [-0.25, -0.38, 0.22], [0.25, -0.38, 0.22]]
) * [1.0, -1.0, -1.0]
PITCHES, YAWS = range(-20, 21, 10), (-20, 0, 20)
SIDE = 400


def fitted_pitch(keypoints: NDArray, start: NDArray) -> float:
    """Pitch in degrees of the rotation that best lays DEEP3D over keypoints [5, 2]; start: a rotation nearby [3, 3]."""

    def left(unknown: NDArray) -> NDArray[np.float64]:
        rotation = Rotation.from_rotvec(unknown[:3]).as_matrix()
        return np.asarray(unknown[3] * (DEEP3D @ rotation.T)[:, :2] + unknown[4:] - points).ravel()

    middle, size = keypoints.mean(0), np.ptp(keypoints[:, 1])
    points = (keypoints - middle) / size
    first = [*Rotation.from_matrix(start).as_rotvec(), 1.5, 0.0, 0.0]
    found = least_squares(left, first).x
    return float(angles_from_matrix(Rotation.from_rotvec(found[:3]).as_matrix()[None])[0, 1])


def compared(pictures: list[NDArray[np.uint8]], truth: NDArray, name: str) -> None:
    """Print the mean differences of pitch of pictures whose true yaw, pitch, roll [n, 3] are known."""
    faces = lpff_ray.analyze(pictures)
    table = faces.sort("face_px", descending=True).unique("frame_index", keep="first", maintain_order=True)
    rows = []
    for row in table.iter_rows(named=True):
        yaw, pitch, roll = (np.array([row[angle]], np.float64) for angle in ("yaw", "pitch", "roll"))
        deep3d = fitted_pitch(np.array(row["keypoints"], np.float64), matrix_from_angles(yaw, pitch, roll)[0])
        rows.append(
            (
                deep3d - pitch[0],
                pitch[0] - truth[row["frame_index"], 1],
                deep3d - truth[row["frame_index"], 1],
            )
        )
    found = pl.DataFrame(rows, schema=["deep3d_ours", "ours_truth", "deep3d_truth"], orient="row")
    figures = ", ".join(
        f"{column} {found[column].mean():+.1f} +- {found[column].std():.1f}" for column in found.columns
    )
    print(f"{name}: {len(found)} faces: {figures}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    scan, rng = HeadScan(data / "mesh"), np.random.default_rng(0)
    angles = np.array([[yaw, pitch, 0.0] for yaw in YAWS for pitch in PITCHES])
    ground = np.full((SIDE, SIDE, 3), 128, np.uint8)
    renders = [scan.render(rotation, ground, rng, vary=False) for rotation in matrix_from_angles(*angles.T)]
    compared(renders, angles, "head scan as it is")
    labels = pl.read_csv(data / "pose/aflw2000_16.csv").filter(pl.col("yaw_deg").abs() < 30)
    photos = [cv2.imread(str(data / "pose/aflw2000_16" / file))[..., ::-1].copy() for file in labels["file"]]
    compared(photos, labels.select("yaw_deg", "pitch_deg", "roll_deg").to_numpy(), "AFLW2000-3D, |yaw| < 30")


if __name__ == "__main__":
    main()
