"""What the plug-ins of docs/plugins.md find and cost beside the built-in models: `python -m benchmarks.figures`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

import lpff_ray
from lpff_ray.decode import open_source
from lpff_ray.measure.registry import DETECTORS
from lpff_ray.run.threads import single_threaded
from lpff_ray.types import MediaKind

STREET = "facenet-pytorch_video.mp4"  # 1080p, several small faces a frame
FRAMES = 10
LEAST_PX = 24
ESTIMATORS = ("fsanet", "3ddfa_v2")
ANGLES = ("yaw", "pitch", "roll")


@contextmanager
def model_store(data: Path) -> Iterator[None]:
    """While entered, the weights of the shared data are the model store."""
    before = os.environ.get("LPFF_RAY_MODELS")
    os.environ["LPFF_RAY_MODELS"] = str((data / "weights").resolve())
    try:
        yield
    finally:
        if before is None:
            del os.environ["LPFF_RAY_MODELS"]
        else:
            os.environ["LPFF_RAY_MODELS"] = before


def detectors(data: Path) -> pl.DataFrame:
    """Faces and milliseconds per frame of a street scene, by detector, on one thread."""
    frames = _spread_frames(data / "videos" / STREET)
    rows = []
    with model_store(data), single_threaded():
        for name in ("centerface", "blazeface", "yunet"):
            detector = DETECTORS.load(name)("cpu", float(LEAST_PX), 0.5)
            detector.detect(frames[:1])  # the first call makes buffers
            began, found = time.process_time(), [len(one.boxes) for one in detector.detect(frames)]
            spent = (time.process_time() - began) / len(frames)
            rows.append((f"`{name}`", f"{np.mean(found):.1f}", f"{spent * 1000:.0f}"))
    return pl.DataFrame(rows, ["detector", "faces per frame", "CPU ms per frame"], orient="row")


def estimators(data: Path) -> pl.DataFrame:
    """Mean absolute error of the three angles on the labelled photos of AFLW2000-3D, degrees, by estimator."""
    labels = pl.read_csv(data / "pose" / "aflw2000_16.csv")
    photos = [data / "pose" / "aflw2000_16" / name for name in labels["file"]]
    with model_store(data):
        faces = lpff_ray.analyze(photos, lpff_ray.MineConfig(pose_votes=ESTIMATORS), "cpu")
    errors: dict[str, list[list[float]]] = {}
    for number, label in enumerate(labels.iter_rows(named=True)):
        middle = [(label["face_x0"] + label["face_x1"]) / 2, (label["face_y0"] + label["face_y1"]) / 2]
        there = faces.filter(pl.col("frame_index") == number)
        boxes = there["bbox"].to_numpy().reshape(-1, 2, 2)
        if not len(boxes):
            continue
        face = there.row(int(np.argmin(np.linalg.norm(boxes.mean(1) - middle, axis=1))), named=True)
        for vote in (*face["pose_votes"], {"estimator": "the columns `yaw`, `pitch`, `roll`", **face}):
            off = [abs((vote[angle] - label[f"{angle}_deg"] + 180) % 360 - 180) for angle in ANGLES]
            errors.setdefault(vote["estimator"], []).append(off)
    rows = [
        (name, str(len(off)), *(f"{mean:.1f}" for mean in np.mean(off, axis=0)))
        for name, off in errors.items()
    ]
    return pl.DataFrame(rows, ["estimator", "photos", *ANGLES], orient="row")


def _spread_frames(path: Path) -> list[NDArray[np.uint8]]:
    """Frames from a whole video, evenly."""
    with open_source(str(path), MediaKind.VIDEO) as source:
        wanted = np.linspace(0, len(source.table) - 1, FRAMES).astype(int).tolist()
        return [frame.rgb for frame in source.frames(wanted)]
