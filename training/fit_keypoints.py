"""Where CenterFace puts its five points on the head: makes the model that its keypoints are fitted with.

    python -m training.fit_keypoints --data ../shared/data

prints `centerface.SCHEME.model`, from faces whose rotation the teachers agree on. Scored on others by
`python -m benchmarks.accuracy --only pose`, as the estimator `centerface`.
"""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.head_model import head_model
from lpff_ray.geometry.transforms import iou
from lpff_ray.measure.detection.centerface import load_centerface
from training import pose_data, pose_labels

ROUNDS = 20
SHARE = 8  # of so many faces one is used: fifteen numbers need no more
SAME_FACE = 0.3  # IoU
MIRROR = np.array([-1.0, 1.0, 1.0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    rotation, points = labelled(parser.parse_args().data)
    print(f"{len(points)} faces")
    print(np.round(fitted(rotation, points), 3).tolist())


def labelled(data: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Consensus rotations [n, 3, 3] and CenterFace's points [n, 5, 2] of faces to train on, photos and clips."""
    teachers, detector = pose_data.teachers(data), load_centerface("cpu", 20.0, 0.5)
    rotations, points = [], []
    for face in pose_data.faces(data, pose_data.detector(), 0, 1, _chosen):
        found = detector.detect([face.picture])[0]
        overlaps = iou(face.box.astype(np.float64), found.boxes.astype(np.float64))
        if len(overlaps) and overlaps.max() > SAME_FACE:
            rotations.append(pose_labels.consensus(pose_data.label(face, teachers)[None])[0])
            points.append(found.keypoints[np.argmax(overlaps)].astype(np.float64))
    return np.array(rotations), np.array(points)


def _chosen(source: str, name: str) -> bool:
    return not pose_data.held_out(source, name) and zlib.crc32(name.encode()) % SHARE == 1


def fitted(rotation: NDArray, points: NDArray) -> NDArray[np.float64]:
    """The symmetric model [5, 3], cm, that projects best to points [n, 5, 2] under known rotations, by alternation:
    each face's size and position, then every point by least squares over the faces."""
    start = head_model().five_points()
    model = start
    for _ in range(ROUNDS):
        posed = np.einsum("nij,kj->nki", rotation, model)[..., :2]
        centred, seen = posed - posed.mean(1, keepdims=True), points - points.mean(1, keepdims=True)
        size = (centred * seen).sum((1, 2)) / (centred**2).sum((1, 2))
        offset = points.mean(1) - size[:, None] * posed.mean(1)
        rows = size[:, None, None] * rotation[:, :2]
        normal = np.einsum("nij,nik->jk", rows, rows)
        right = np.einsum("nij,nki->kj", rows, points - offset[:, None])
        free = np.linalg.solve(normal, right.T).T
        mirrored = free[[1, 0, 2, 4, 3]] * MIRROR
        model = (free + mirrored) / 2
        model *= np.linalg.norm(start - start.mean(0)) / np.linalg.norm(model - model.mean(0))
    return model


if __name__ == "__main__":
    main()
