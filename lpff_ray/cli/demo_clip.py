"""The demo's clip, whose every face is known, and the errors of what was measured in it.

The clip is made at run time from scikit-image's astronaut (NASA's portrait of Eileen Collins, in the public domain).
Each of its shots moves the photo in one known way: across the frame, larger, turned in the image plane, out of focus.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.geometry.transforms import apply, compose

WIDTH, HEIGHT, FPS = 960, 540, 25
MARK = "lpff-ray demo, version 1"  # in the clip's metadata: another version makes another clip
FRAMES_PER_SHOT = 25
SHOTS = {
    "moving": (90, 110, 140),
    "growing": (150, 120, 80),
    "turning": (60, 90, 60),
    "blurring": (150, 150, 150),
}
"""The shots in their order, and the colour that surrounds the photo in each."""


@dataclass(frozen=True)
class DemoClip:
    """The clip and what is known of its frames.

    transforms: float64 [frames, 2, 3], photo pixels to frame pixels. blur: float64 [frames], sigma in pixels.
    shots: the name of each frame's shot.
    """

    path: Path
    photo: NDArray[np.uint8]
    transforms: NDArray[np.float64]
    blur: NDArray[np.float64]
    shots: list[str]


def make_clip(path: Path) -> DemoClip:
    """Write the clip (H.264, 960x540, 4 s), unless it is there already.

    Made anew its bytes may differ, as the encoder's last bits do from process to process; to a run it would then be
    another video.
    """
    from skimage.data import astronaut  # imports much of scipy

    clip = DemoClip(path, astronaut(), *_script())
    if not _is_made(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        _write(clip, unfinished)
        unfinished.replace(path)
    return clip


def _is_made(path: Path) -> bool:
    """Whether the file is the clip of this version of the demo."""
    try:
        with av.open(str(path)) as container:
            return container.metadata.get("comment") == MARK
    except (OSError, av.FFmpegError):
        return False


def _write(clip: DemoClip, path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        container.metadata["comment"] = MARK
        stream = container.add_stream(
            "libx264", rate=FPS, options={"crf": "16", "preset": "medium", "threads": "1"}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for transform, sigma, shot in zip(clip.transforms, clip.blur, clip.shots, strict=True):
            pixels = cv2.warpAffine(
                clip.photo, transform, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderValue=SHOTS[shot]
            )
            if sigma > 0:
                pixels = cv2.GaussianBlur(pixels, (0, 0), float(sigma))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def _script() -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    face = np.array([224.0, 125.0])  # about where the photo's face is; only used to frame the shots
    steps = np.linspace(0.0, 1.0, FRAMES_PER_SHOT)
    scripts = {
        "moving": [(1.2, 0.0, 300 + 360 * s, 270.0, 0.0) for s in steps],
        "growing": [(0.8 + 1.4 * s, 0.0, 480.0, 270.0, 0.0) for s in steps],
        "turning": [(1.5, -30 + 60 * s, 480.0, 270.0, 0.0) for s in steps],
        "blurring": [(1.5, 0.0, 480.0, 270.0, 6.0 * s) for s in steps],
    }
    transforms, blur, names = [], [], []
    for name in SHOTS:
        for scale, degrees, x, y, sigma in scripts[name]:
            cos, sin = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
            linear = np.array([[cos, -sin], [sin, cos]])
            transforms.append(np.column_stack([linear, [x, y] - linear @ face]))
            blur.append(sigma)
            names.append(name)
    return np.array(transforms), np.array(blur), names


@dataclass(frozen=True)
class ShotErrors:
    """What was measured in one shot against what is known of it, relative to the clip's first frame.

    frames: with a face found, of `of`. Errors are (mean, largest) of absolute values: position and size in percent of
    the face, roll in degrees; None if no face was found. blur (sigma, pixels) and sharpness: (first, last) frame.
    """

    shot: str
    frames: int
    of: int
    position: tuple[float, float] | None = None
    size: tuple[float, float] | None = None
    roll: tuple[float, float] | None = None
    blur: tuple[float, float] | None = None
    sharpness: tuple[float, float] | None = None


def known_against_measured(clip: DemoClip, faces: pl.DataFrame) -> list[ShotErrors]:
    """The errors of a run over the clip, shot by shot. faces: its faces table."""
    main = faces.sort("face_px", descending=True).unique("frame_index", keep="first").sort("frame_index")
    if main.is_empty():
        return [ShotErrors(shot, 0, clip.shots.count(shot)) for shot in dict.fromkeys(clip.shots)]
    reference = main.row(0, named=True)
    start = clip.transforms[reference["frame_index"]]
    centre = np.array(reference["bbox"]).reshape(2, 2).mean(0)
    back = np.linalg.inv(np.vstack([start, [0, 0, 1]]))[:2]
    rows = []
    for row in main.iter_rows(named=True):
        moved = compose(clip.transforms[row["frame_index"]], back)
        expected = apply(moved, centre)
        box = np.array(row["bbox"]).reshape(2, 2)
        rows.append(
            {
                "shot": clip.shots[row["frame_index"]],
                "position": float(np.linalg.norm(box.mean(0) - expected)) / row["face_px"] * 100,
                "size": (row["face_px"] / reference["face_px"] / np.linalg.norm(moved[:, 0]) - 1) * 100,
                "roll": row["roll"] - reference["roll"] - np.degrees(np.arctan2(moved[1, 0], moved[0, 0])),
                "blur": clip.blur[row["frame_index"]],
                "sharpness": row["sharpness"],
            }
        )
    errors = pl.DataFrame(rows)
    return [
        _shot_errors(shot, clip.shots.count(shot), errors.filter(pl.col("shot") == shot))
        for shot in dict.fromkeys(clip.shots)
    ]


def _shot_errors(shot: str, frames: int, errors: pl.DataFrame) -> ShotErrors:
    if errors.is_empty():
        return ShotErrors(shot, 0, frames)
    absolute = {name: errors[name].abs() for name in ("position", "size", "roll")}
    worst = {name: (float(series.mean() or 0), float(series.max() or 0)) for name, series in absolute.items()}  # type: ignore[arg-type]
    ends = {name: (float(errors[name][0]), float(errors[name][-1])) for name in ("blur", "sharpness")}
    return ShotErrors(shot, len(errors), frames, **worst, **ends)
