"""Makers of small synthetic clips whose every frame carries its own number in its pixels.

A frame is a 4 x 4 grid of black and white cells. The four corners are fixed (top left white, the others
black) and tell a wrong rotation or mirroring; the twelve cells between them hold the frame's number in
binary, row by row, most significant first. The grid survives lossy coding, odd sizes and even a picture of
4 x 4 pixels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np
from skimage.data import astronaut

# Centiseconds between 1 and 8, so that neither frame times nor their order in the file are regular.
STEPS = np.random.default_rng(1).integers(1, 9, 59)
UNEVEN = [0.0, *(float(time) / 100 for time in np.cumsum(STEPS))]

CLIPS: dict[str, dict[str, object]] = {
    "plain.mp4": {},
    "b_frames.mp4": {"b_frames": 2},
    "open_gop.mp4": {"b_frames": 3, "open_gop": True},
    "open_gop_hevc.mp4": {"codec": "hevc", "b_frames": 3, "open_gop": True},
    "hevc_10bit.mov": {"codec": "hevc", "pix_fmt": "yuv420p10le"},
    "mpeg4.mp4": {"codec": "mpeg4"},
    "mpeg4_b.mp4": {"codec": "mpeg4", "b_frames": 2},
    "mpeg4_b.avi": {"codec": "mpeg4", "b_frames": 2},
    "av1.mp4": {"codec": "av1", "size": (128, 96)},
    "vp9.webm": {"codec": "vp9"},
    "odd.mp4": {"size": (61, 47), "pix_fmt": "yuv444p"},
    "odd.mkv": {"size": (61, 47), "codec": "vp9"},
    "tiny.mp4": {"size": (4, 4)},
    "uneven.mp4": {"times": UNEVEN, "b_frames": 2},
    "uneven.mkv": {"times": UNEVEN, "b_frames": 2},
    "late.mp4": {"start_s": 3.5},
    "late.mkv": {"start_s": 3.5},
    "late.ts": {"start_s": 3.5, "b_frames": 2},
    "hidden.mp4": {"start_s": -0.4, "b_frames": 2, "muxer_options": {"avoid_negative_ts": "disabled"}},
    "long_gop.mp4": {"gop": 600},
    "turned_90.mp4": {"rotation": 90},
    "turned_180.mp4": {"rotation": 180},
    "turned_270.mp4": {"rotation": 270},
    "untimed.h264": {},
    "noisy.mp4": {"size": (160, 120), "noise": 20, "b_frames": 2},
    "noisy.mkv": {"size": (160, 120), "noise": 20, "b_frames": 2},
    "noisy.ts": {"size": (160, 120), "noise": 20, "b_frames": 2},
    "noisy_hevc.mp4": {"size": (160, 120), "noise": 20, "b_frames": 2, "codec": "hevc"},
    "noisy_mpeg4.mp4": {"size": (160, 120), "noise": 20, "codec": "mpeg4"},
    "header_first.mp4": {"size": (160, 120), "noise": 20, "muxer_options": {"movflags": "faststart"}},
}
HIDDEN = {"hidden.mp4": 10}  # frames that the edit list takes off the start
BROKEN = {"sound.mp4", "empty.mp4"}


TIME_BASE = Fraction(1, 30_000)  # whole ticks at 24, 25, 29.97 and 30 fps; mpeg4 takes at most 1/65535
CORNERS = {(0, 0): 1, (0, 3): 0, (3, 0): 0, (3, 3): 0}
CELLS = [(row, column) for row in range(4) for column in range(4) if (row, column) not in CORNERS]

DEMO_EVERY = 5  # how many frames of the demo clip pass for one that the fixtures of conftest.py look at

ENCODERS = {"h264": "libx264", "hevc": "libx265", "mpeg4": "mpeg4", "av1": "libsvtav1", "vp9": "libvpx-vp9"}
# What makes each encoder quick, silent and true to the cells (SVT-AV1 loses some from preset 10 on).
os.environ.setdefault("SVT_LOG", "1")
QUIET = {
    "h264": {"preset": "veryfast", "crf": "12"},
    "hevc": {"preset": "ultrafast", "crf": "12", "x265-params": "log-level=none:pools=1:frame-threads=1"},
    "mpeg4": {"b": "4000000"},
    "av1": {"preset": "8", "crf": "5", "svtav1-params": "lp=1"},
    "vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "10", "b": "0"},
}


def paint(index: int, width: int, height: int) -> np.ndarray:
    """The picture that says `index` (0..4095): uint8 [height, width, 3]."""
    grid = np.zeros((4, 4), np.uint8)
    for cell, value in CORNERS.items():
        grid[cell] = value
    for bit, cell in enumerate(reversed(CELLS)):
        grid[cell] = index >> bit & 1
    rows = np.arange(height) * 4 // height
    columns = np.arange(width) * 4 // width
    gray = np.where(grid[rows[:, None], columns[None, :]] > 0, 235, 20).astype(np.uint8)
    return np.repeat(gray[:, :, None], 3, axis=2)


def portrait(index: int, width: int, height: int) -> np.ndarray:
    """A public-domain portrait, one face near the middle, that drifts 2 pixels a frame to the right.

    uint8 [height, width, 3]; the face is about a third of the shorter side wide.
    """
    scale = min(width, height) / 300
    move = np.array([[scale, 0, width / 2 - 224 * scale + 2 * index], [0, scale, height / 2 - 125 * scale]])
    size = (width, height)
    return np.asarray(
        cv2.warpAffine(_photo(), move, size, flags=cv2.INTER_AREA, borderValue=(90, 110, 140)), np.uint8
    )


@lru_cache(maxsize=1)
def _photo() -> np.ndarray:
    return np.asarray(astronaut(), np.uint8)


def read_index(rgb: np.ndarray) -> int:
    """The number painted into uint8 [h, w, 3], or -1 if the picture is damaged, turned or mirrored."""
    height, width = rgb.shape[:2]
    gray = rgb.astype(np.float64).mean(axis=2)
    rows = (np.arange(4) * 2 + 1) * height // 8
    columns = (np.arange(4) * 2 + 1) * width // 8
    cells = gray[rows[:, None], columns[None, :]]
    if ((cells > 80) & (cells < 175)).any():
        return -1
    bits = (cells > 127).astype(int)
    if any(bits[cell] != value for cell, value in CORNERS.items()):
        return -1
    index = 0
    for cell in CELLS:
        index = index << 1 | int(bits[cell])
    return index


def write_clip(
    path: str | os.PathLike[str],
    frames: int = 60,
    *,
    size: tuple[int, int] = (64, 48),
    codec: str = "h264",
    fps: Fraction | float = 25,
    times: Sequence[float] | None = None,
    start_s: float = 0.0,
    gop: int = 12,
    b_frames: int = 0,
    open_gop: bool = False,
    rotation: int = 0,
    pix_fmt: str = "yuv420p",
    noise: int = 0,
    picture_of: Callable[[int, int, int], np.ndarray] = paint,
    muxer_options: dict[str, str] | None = None,
) -> Path:
    """Write a clip of `frames` numbered frames and return its path.

    size: (width, height) as coded, before `rotation` (degrees anticlockwise a player turns the picture).
    times: seconds of every frame from the first (variable frame rate); overrides `fps`.
    start_s: presentation time of the first frame; negative times are hidden by an edit list in mp4.
    gop: frames from keyframe to keyframe. open_gop: frames may lean on those behind the next keyframe.
    picture_of: the picture of a frame by its number, width and height; `paint` or `portrait`.
    noise: amplitude in levels of a random texture, fixed by the frame's number, that makes packets large.
    """
    path = Path(path)
    seconds = [Fraction(i) / Fraction(fps) for i in range(frames)] if times is None else list(times)
    if codec == "hevc":
        x265 = QUIET["hevc"]["x265-params"] + f":keyint={gop}:min-keyint={gop}:bframes={b_frames}"
        options = QUIET["hevc"] | {"x265-params": x265 + f":open-gop={int(open_gop)}:scenecut=0:b-adapt=0"}
    elif codec == "h264":
        # Without the macroblock tree, whose result is another one now and then.
        x264 = (
            f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes={b_frames}:b-adapt=0:open-gop={int(open_gop)}"
            ":no-mbtree=1"
        )
        options = QUIET["h264"] | {"x264-params": x264}
    else:
        options = QUIET[codec] | {"g": str(gop)} | ({"bf": str(b_frames)} if b_frames else {})
    with av.open(str(path), "w", options=muxer_options or {}) as container:
        stream = container.add_stream(ENCODERS[codec], rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        stream.codec_context.thread_count = 1
        stream.codec_context.options = options
        if rotation:
            stream.set_display_rotation(rotation)
        for index, second in enumerate(seconds):
            turned = size if rotation % 180 == 0 else size[::-1]
            picture = picture_of(index, *turned)
            if noise:
                texture = np.random.default_rng(index).integers(-noise, noise + 1, picture.shape)
                picture = np.clip(picture.astype(int) + texture, 0, 255).astype(np.uint8)
            # A player turns the coded picture by `rotation`; store it turned back.
            picture = np.ascontiguousarray(np.rot90(picture, -rotation // 90))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)
            frame.pts = round((Fraction(second) + Fraction(start_s)) / TIME_BASE)
            frame.time_base = TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_audio_only(path: str | os.PathLike[str], seconds: float = 1.0) -> Path:
    """A media file with sound and no picture."""
    path = Path(path)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        for block in range(round(seconds * 16_000 / 1024)):
            frame.pts = block * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_empty_video(path: str | os.PathLike[str]) -> Path:
    """A video stream with a header and not one frame."""
    path = Path(path)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    return path


def truncate(source: Path, path: Path, keep: float) -> Path:
    """The first part of a file: `keep` is the fraction of its bytes."""
    data = source.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def overwrite(source: Path, path: Path, start: float, stop: float, fill: int | None = None) -> Path:
    """A file with the bytes between two fractions of its length replaced, by `fill` or (None) at random."""
    data = bytearray(source.read_bytes())
    first, last = int(len(data) * start), int(len(data) * stop)
    if fill is None:
        data[first:last] = np.random.default_rng(0).bytes(last - first)
    else:
        data[first:last] = bytes([fill]) * (last - first)
    path.write_bytes(bytes(data))
    return path
