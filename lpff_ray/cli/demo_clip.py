"""The demo: a clip whose every face is known, made at run time from a public-domain photo, and what mining says of it.

The photo is scikit-image's astronaut (NASA's portrait of Eileen Collins, in the public domain). Each of the clip's
shots moves it in one known way: across the frame, larger, turned in the image plane, and out of focus.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from lpff_ray.geometry.transforms import apply, compose
from lpff_ray.tables.read import scan, segments

WIDTH, HEIGHT, FPS = 960, 540, 25
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
    """Write the clip (H.264, 960x540, 4 s); one that is there is made anew, byte for byte the same."""
    from skimage.data import astronaut  # imports much of scipy

    photo = astronaut()
    transforms, blur, shots = _script()
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=FPS, options={"crf": "16", "preset": "medium", "threads": "1"}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for transform, sigma, shot in zip(transforms, blur, shots, strict=True):
            picture = cv2.warpAffine(
                photo, transform, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderValue=SHOTS[shot]
            )
            if sigma > 0:
                picture = cv2.GaussianBlur(picture, (0, 0), float(sigma))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return DemoClip(path, photo, transforms, blur, shots)


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


def known_against_measured(clip: DemoClip, out: str) -> list[Table | str]:
    """What is known of the clip beside what the tables say, and the first rows of the faces table."""
    faces = scan(out).collect()
    main = faces.sort("face_px", descending=True).unique("frame_index", keep="first").sort("frame_index")
    reference = main.row(0, named=True)
    start = clip.transforms[0]
    centre = np.array(reference["bbox"]).reshape(2, 2).mean(0)
    back = np.linalg.inv(np.vstack([start, [0, 0, 1]]))[:2]
    rows = []
    for row in main.iter_rows(named=True):
        moved = compose(clip.transforms[row["frame_index"]], back)
        where = apply(moved, centre)
        box = np.array(row["bbox"]).reshape(2, 2)
        rows.append(
            {
                "shot": clip.shots[row["frame_index"]],
                "place": float(np.linalg.norm(box.mean(0) - where)) / row["face_px"] * 100,
                "size": (row["face_px"] / reference["face_px"] / np.linalg.norm(moved[:, 0]) - 1) * 100,
                "roll": row["roll"] - reference["roll"] - np.degrees(np.arctan2(moved[1, 0], moved[0, 0])),
                "blur": clip.blur[row["frame_index"]],
                "sharpness": row["sharpness"],
            }
        )
    errors = pl.DataFrame(rows)
    table = Table(
        title="Measured against known, relative to the first frame: mean and largest error", box=SIMPLE_HEAD
    )
    for name in ("shot", "found", "place, %", "size, %", "roll, deg", "blur, px", "sharpness"):
        table.add_column(name, justify="left" if name == "shot" else "right", no_wrap=True)
    for shot in dict.fromkeys(clip.shots):
        part = errors.filter(pl.col("shot") == shot)
        if not len(part):
            table.add_row(shot, f"0/{clip.shots.count(shot)}")
            continue
        table.add_row(
            shot,
            f"{len(part)}/{clip.shots.count(shot)}",
            *(_mean_and_worst(part[name].to_numpy()) for name in ("place", "size", "roll")),
            f"{part['blur'][0]:.0f} to {part['blur'][-1]:.0f}",
            f"{part['sharpness'][0]:.2f} to {part['sharpness'][-1]:.2f}",
        )
    shots = int(segments(out)["shots"].sum())
    known = len(set(clip.shots))
    return [
        table,
        f"shots: {known} known, {shots} found; tracks: {faces['track_id'].n_unique()}",
        first_rows(faces),
    ]


def _mean_and_worst(errors: NDArray[np.float64]) -> str:
    return f"{np.abs(errors).mean():.1f}, {np.abs(errors).max():.1f}"


def first_rows(faces: pl.DataFrame, count: int = 8) -> Table:
    """The most telling columns of the first faces."""
    table = Table(title=f"First of {len(faces)} faces", box=SIMPLE_HEAD)
    columns = {
        "frame_index": "frame",
        "bbox": "x0 y0 x1 y1",
        "det_score": "score",
        "yaw": "yaw",
        "pitch": "pitch",
        "roll": "roll",
        "pose_bin": "pose_bin",
        "sharpness": "sharpness",
    }
    for header in columns.values():
        table.add_column(header, justify="right", no_wrap=True)
    for row in faces.head(count).select(*columns).iter_rows():
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, list):
        return " ".join(f"{number:.0f}" for number in value)
    return str(value)
