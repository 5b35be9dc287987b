"""Faces for training and scoring image quality, and the faults that degrade them by known amounts."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lpff_ray.measure.quality.image_quality import SHOWN
from training.pose_data import detector, photos, video_faces

CLIP_EVERY = 12  # one face of a clip in so many
HELD_OUT_CLIPS = (
    "3ddfa_obama",
    "liveportrait_d10",
    "liveportrait_d13",
    "liveportrait_s18",
    "sadtalker_WDA_KatieHill_000",
)
HELD_OUT_PEOPLE = ("Tony_Blair", "Vladimir_Putin", "Gerhard_Schroeder", "Ariel_Sharon")
# Levels 0 (untouched) to 5 (hardly a face) of each kind. Blur (standard deviation) and motion (length) in pixels of a
# face shown 160 pixels wide, noise (standard deviation) in grey levels, JPEG's quality setting; scaling by which
# factor a face, shown at most 160 pixels wide, is made smaller and larger again.
LEVELS = {
    "gaussian": (0.0, 0.7, 1.3, 2.0, 3.2, 5.0),
    "motion": (0.0, 3.0, 5.0, 8.0, 13.0, 20.0),
    "noise": (0.0, 5.0, 10.0, 19.0, 35.0, 60.0),
    "jpeg": (0.0, 70.0, 45.0, 25.0, 12.0, 6.0),
    "scaling": (0.0, 1.5, 2.2, 3.5, 5.0, 8.0),
}


@dataclass(frozen=True)
class Face:
    """A face with its surroundings.

    window: uint8 RGB [h, w, 3], the frame around the face; it begins at a whole block of 8 pixels. box: x0, y0, x1, y1
    in it.
    """

    window: NDArray[np.uint8]
    box: NDArray[np.float64]
    source: str
    name: str

    @property
    def side(self) -> float:
        return float((self.box[2:] - self.box[:2]).max())


def collect(data: Path, held: bool) -> list[Face]:
    """Faces of the clips, LFW, AFLW2000-3D and AFLW: those for scoring (`held`) or those for training."""

    def wanted(source: str, name: str) -> bool:
        return held_out(source, name) == held

    detect = detector()
    found = [
        around_face(face.picture, face.box, face.source, face.name) for face in photos(data, detect, wanted)
    ]
    seen: Counter[str] = Counter()
    for face in video_faces(data, detect, wanted):
        clip = face.name.split(":")[0]
        if seen[clip] % CLIP_EVERY == 0 and face.box[2] - face.box[0] >= 48:
            found.append(around_face(face.picture, face.box, face.source, face.name))
        seen[clip] += 1
    return found


def held_out(source: str, name: str) -> bool:
    """Whether a face is for scoring only: by clip, person or photo."""
    match source:
        case "video":
            return name.split(":")[0] in HELD_OUT_CLIPS
        case "lfw":
            return name.rsplit("_", 1)[0] in HELD_OUT_PEOPLE
        case "aflw2000":
            return int(name[5:10]) % 2 == 0  # imageNNNNN.jpg
        case "aflw":
            return zlib.crc32(name.encode()) % 3 == 0
        case _:
            raise ValueError(f"unknown source {source}")


def around_face(frame: NDArray[np.uint8], box: NDArray, source: str, name: str) -> Face:
    """A face with as much of the frame around it as its own size."""
    centre, side = (box[:2] + box[2:]) / 2.0, float((box[2:] - box[:2]).max())
    x0, y0 = np.maximum(np.floor((centre - side) / 8) * 8, 0).astype(int)
    x1, y1 = np.minimum(np.ceil(centre + side), frame.shape[1::-1]).astype(int)
    return Face(np.ascontiguousarray(frame[y0:y1, x0:x1]), box - np.array([x0, y0, x0, y0]), source, name)


def resized(face: Face, factor: float, interpolation: int | None = None) -> Face:
    """The whole window at another size; averaged when it shrinks."""
    chosen = (cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC) if interpolation is None else interpolation
    window = cv2.resize(face.window, None, fx=factor, fy=factor, interpolation=chosen)
    exact = np.array(window.shape[1::-1]) / np.array(face.window.shape[1::-1])
    return replace(face, window=window, box=face.box * np.tile(exact, 2))


def degraded(face: Face, kind: str, amount: float, rng: np.random.Generator) -> Face:
    """The face with one fault of `LEVELS`, in its units; 0 is none."""
    if amount == 0:
        return face
    window, own = face.window, face.side / SHOWN
    match kind:
        case "gaussian":
            window = cv2.GaussianBlur(window, (0, 0), amount * own)
        case "motion":
            window = cv2.filter2D(window, -1, motion(amount * own, rng.uniform(0, np.pi)))
        case "noise":
            window = np.clip(window + rng.normal(0, amount, window.shape), 0, 255).astype(np.uint8)
        case "jpeg":
            _, coded = cv2.imencode(".jpg", window[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(amount)])
            window = cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].copy()
        case "scaling":
            height, width = window.shape[:2]
            factor = amount * max(own, 1.0)
            small = cv2.resize(
                window,
                (max(round(width / factor), 4), max(round(height / factor), 4)),
                interpolation=cv2.INTER_AREA,
            )
            window = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        case "exposure":
            linear = (window / 255.0) ** 2.2 * 2.0**amount
            window = (np.clip(linear, 0, 1) ** (1 / 2.2) * 255).round().astype(np.uint8)
    return replace(face, window=window)


def motion(length: float, angle: float) -> NDArray[np.float32]:
    """Kernel of a straight movement by `length` pixels, sums to one."""
    size = int(np.ceil(length)) // 2 * 2 + 3
    middle, fine = size / 2, 8
    kernel = np.zeros((size * fine, size * fine), np.float32)
    reach = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    ends = [tuple(int(v) for v in ((middle + sign * reach) * fine).round()) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, fine)
    kernel = cv2.resize(kernel, (size, size), interpolation=cv2.INTER_AREA)
    return kernel / kernel.sum()


def ladder(face: Face, kind: str, seed: int) -> Iterator[Face]:
    """The face at levels 0 to 5 of one kind; a motion's direction is the same at all of them."""
    for amount in LEVELS[kind]:
        yield degraded(face, kind, amount, np.random.default_rng(seed))
