"""What a run will take: frames, disk and time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lpff_ray.config import MineConfig
from lpff_ray.plan.segment import segments
from lpff_ray.plan.video import Video
from lpff_ray.types import MediaKind

BYTES_PER_FACE = 1_300 + 4_200
"""Disk taken by one row of `faces` in a Parquet part (the embedding and the landmarks hardly compress), and by its
thumbnail."""


@dataclass(frozen=True)
class Costs:
    """Seconds of one CPU core, with which the time of a run is estimated. Evidence: docs/evidence/speed.md#mining-rate

    decoded, decoded_megapixel: of every frame of the source; looked_at, looked_at_megapixel: of every sampled frame,
    for its conversion and detection; face: of one face; faces: per sampled frame. start: of the whole run, by the
    clock.
    """

    decoded: float = 0.4e-3
    decoded_megapixel: float = 0.4e-3
    looked_at: float = 10e-3
    looked_at_megapixel: float = 5e-3
    face: float = 24e-3
    faces: float = 0.7
    start: float = 3.0


COSTS, CORES = Costs(), 2


@dataclass(frozen=True)
class Estimate:
    """What a run will be like. disk_bytes takes one face per frame; seconds is of one worker of CORES cores."""

    videos: int
    segments: int
    frames: int
    disk_bytes: int
    seconds: float


def estimate(videos: Iterable[Video], config: MineConfig, costs: Costs = COSTS) -> Estimate:
    """Add up the planned videos."""
    planned = [video for video in videos if video.is_planned]
    wanted = [_frames_wanted(video, config) for video in planned]
    frames = sum(wanted)
    busy = sum(_seconds(video, count, costs) for video, count in zip(planned, wanted, strict=True))
    return Estimate(
        videos=len(planned),
        segments=sum(len(segments(video, config.segment_seconds)) for video in planned),
        frames=frames,
        disk_bytes=frames * BYTES_PER_FACE,
        seconds=costs.start + busy / CORES if planned else 0.0,
    )


def _seconds(video: Video, wanted: int, costs: Costs) -> float:
    """Seconds of one core that a video takes, of which so many frames are looked at."""
    megapixels = video.width * video.height / 1e6
    decoded = max(_frames_decoded(video), wanted)
    return (
        decoded * (costs.decoded + costs.decoded_megapixel * megapixels)
        + wanted * (costs.looked_at + costs.looked_at_megapixel * megapixels)
        + wanted * costs.faces * costs.face
    )


def _frames_decoded(video: Video) -> float:
    """Frames of the source between the first and the last that may be looked at."""
    if video.kind == MediaKind.PHOTO:
        return 1
    frames = float(video.frames_expected or video.duration_s * video.fps)
    return frames * _span_s(video) / video.duration_s if video.duration_s > 0 else frames


def _span_s(video: Video) -> float:
    """Seconds of the clip; 0 where the container does not tell."""
    if video.duration_s <= 0:
        return 0.0
    return min(video.end_s or video.duration_s, video.duration_s) - (video.start_s or 0.0)


def _frames_wanted(video: Video, config: MineConfig) -> int:
    """Frames of the sampling grid as far as the container's header tells."""
    if video.kind == MediaKind.PHOTO:
        return 1
    if video.frames:
        return len(video.frames)
    frames, seconds = _frames_decoded(video), _span_s(video)
    if config.fps is not None and seconds > 0:
        frames = min(frames, seconds * config.fps)
    return math.ceil(frames / (config.every or 1) - 1e-6)
