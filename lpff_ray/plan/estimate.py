"""What a run will take: frames, disk and time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lpff_ray.config import MineConfig
from lpff_ray.plan.segment import segments
from lpff_ray.plan.video import Video
from lpff_ray.types import MediaKind

BYTES_PER_FACE = 1_300
"""Disk taken by one row of `faces` in a Parquet part: the embedding and the landmarks hardly compress."""
FRAMES_PER_SECOND = 20.0
"""Frames per second that one worker of two busy CPU cores measures. Evidence: docs/evidence/speed.md#mining-rate"""


@dataclass(frozen=True)
class Estimate:
    """What a run will be like. disk_bytes takes one face per frame; seconds is of one worker."""

    videos: int
    segments: int
    frames: int
    disk_bytes: int
    seconds: float


def estimate(videos: Iterable[Video], config: MineConfig, frames_per_second: float) -> Estimate:
    """Add up the planned videos. frames_per_second: how many one worker measures."""
    planned = [video for video in videos if video.is_planned]
    frames = sum(_frames_wanted(video, config) for video in planned)
    return Estimate(
        videos=len(planned),
        segments=sum(len(segments(video, config.segment_seconds)) for video in planned),
        frames=frames,
        disk_bytes=frames * BYTES_PER_FACE,
        seconds=frames / frames_per_second,
    )


def _frames_wanted(video: Video, config: MineConfig) -> int:
    """Frames of the sampling grid as far as the container's header tells."""
    if video.kind == MediaKind.PHOTO:
        return 1
    if video.frames:
        return len(video.frames)
    frames = float(video.frames_expected or video.duration_s * video.fps)
    seconds = video.duration_s
    if seconds > 0:
        span = min(video.end_s or seconds, seconds) - (video.start_s or 0.0)
        frames, seconds = frames * span / seconds, span
    if config.fps is not None and seconds > 0:
        frames = min(frames, seconds * config.fps)
    return math.ceil(frames / (config.every or 1) - 1e-6)
