"""Clips that several decode tests read, made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import write_audio_only, write_clip, write_empty_video

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


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip of 60 numbered frames for each name in CLIPS."""
    folder = tmp_path_factory.mktemp("clips")
    for name, options in CLIPS.items():
        write_clip(folder / name, 60, **options)  # type: ignore[arg-type]
    write_audio_only(folder / "sound.mp4")
    write_empty_video(folder / "empty.mp4")
    return folder
