"""Fits the correction of FaceMesh's yaw, `MESH_YAW_ADDED` of lpff_ray/measure/pose/fits.py.

    python -m training.fit_mesh_yaw --faces FACES.npz

FACES.npz is the file that `python -m training.train_pose --faces FACES.npz` keeps. Prints the table, and the errors on
held-out faces without and with it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.rotation import angles_from_matrix
from lpff_ray.measure.pose.fits import MESH_PRESENCE, MESH_YAW, fit_mesh
from lpff_ray.measure.pose.landmarks import FaceMesh
from lpff_ray.models.cards import load_cards
from training.pose_data import STORED, detector
from training.pose_labels import consensus, targets

TRAINED, OF_CLIPS, HELD = 1500, 400, 500  # faces
NEAR = 15  # pixels of a stored crop within which the detector finds the same face again
SMOOTH = 1.0  # weight of a degree between neighbours in the table, against one of a face
FIXED = 100.0
ROBUST = 4.0  # degrees beyond which a face counts less
STEPS = 30
BINS = ((0, 15), (15, 30), (30, 45), (45, 60), (60, 75), (75, 100))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=Path, required=True)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    faces = dict(np.load(arguments.faces, allow_pickle=False))
    usable, aflw = targets(faces).usable, faces["source"] == "aflw"
    rng = np.random.default_rng(0)
    trained = np.concatenate(
        [
            rng.choice(np.flatnonzero(usable & aflw), TRAINED, replace=False),
            rng.choice(np.flatnonzero(usable & (faces["source"] == "video")), OF_CLIPS, replace=False),
        ]
    )
    held = rng.choice(np.flatnonzero(faces["held"] & aflw), HELD, replace=False)
    truth = angles_from_matrix(consensus(faces["teach"]))[:, 0]
    yaw, presence, found = seen(faces["crop"][trained])
    table = fitted(yaw, presence, truth[trained][found])
    print(np.round(table))
    yaw, presence, found = seen(faces["crop"][held])
    off = weights(yaw, presence) @ np.round(table).ravel()
    for name, answer in (("raw", yaw), ("corrected", yaw + np.sign(yaw) * off)):
        print(name, *errors(answer, truth[held][found]))


def seen(crops: NDArray[np.uint8]) -> tuple[NDArray, NDArray, NDArray]:
    """FaceMesh's yaw in degrees and presence of the faces that the detector finds again, and which those are."""
    detect, mesh = detector(), FaceMesh(load_cards()["facemesh"].path(), "cpu")
    yaw, presence, which = [], [], []
    for number, crop in enumerate(crops):
        found = detect.detect([crop])[0]
        offsets = np.abs((found.boxes[:, :2] + found.boxes[:, 2:]) / 2 - STORED / 2).max(1)
        if len(offsets) and offsets.min() < NEAR:
            best = [int(np.argmin(offsets))]
            right, left = found.keypoints[best[0], :2]
            upright = np.arctan2(left[1] - right[1], left[0] - right[0])[None]
            points = mesh([crop], found.boxes[best], upright)
            yaw.append(angles_from_matrix(fit_mesh(points.points).rotation)[0, 0])
            presence.append(points.presence[0])
            which.append(number)
    return np.array(yaw), np.array(presence), np.array(which)


def weights(yaw: NDArray, presence: NDArray) -> NDArray[np.float64]:
    """Weight of every cell of the table for every face [n, cells]: bilinear interpolation."""
    corners = []
    for value, knots in ((np.abs(yaw), MESH_YAW), (presence, MESH_PRESENCE)):
        position = np.interp(value, knots, np.arange(len(knots)))
        corners.append(np.maximum(1 - np.abs(position[:, None] - np.arange(len(knots))), 0))
    return (corners[0][:, :, None] * corners[1][:, None]).reshape(len(yaw), -1)


def fitted(yaw: NDArray, presence: NDArray, truth: NDArray) -> NDArray[np.float64]:
    """The table [yaw, presence], by robust least squares; smooth, and zero in its first row."""
    cells, wanted = weights(yaw, presence), np.sign(yaw) * truth - np.abs(yaw)
    shape = len(MESH_YAW), len(MESH_PRESENCE)
    unit = np.eye(shape[0] * shape[1]).reshape(*shape, -1)
    rules = np.concatenate(
        [
            FIXED * unit[0],
            *(SMOOTH * np.diff(unit, axis=axis).reshape(-1, unit.shape[-1]) for axis in (0, 1)),
        ]
    )
    trust = np.ones(len(yaw))
    for _ in range(STEPS):
        table = np.linalg.lstsq(
            np.concatenate([cells * trust[:, None], rules]),
            np.concatenate([wanted * trust, np.zeros(len(rules))]),
            rcond=None,
        )[0]
        trust = 1 / np.sqrt(1 + np.abs(cells @ table - wanted) / ROBUST)
    return table.reshape(shape)


def errors(yaw: NDArray, truth: NDArray) -> list[str]:
    """Mean absolute error (bias towards profile) in degrees by |yaw|."""
    cells = []
    for low, high in BINS:
        here = (np.abs(truth) >= low) & (np.abs(truth) < high)
        outwards = (yaw - truth)[here] * np.sign(truth[here])
        cells.append(f"{low}-{high}: {np.abs(outwards).mean():.1f} ({outwards.mean():+.1f})")
    return cells


if __name__ == "__main__":
    main()
