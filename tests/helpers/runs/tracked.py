"""A run that was never mined, whose faces belong to tracks given by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from runs import make_run

from lpff_ray.decode.frame_table import read_frame_table
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos

SELECTION = "some"


def landmarks_in(box: Any) -> NDArray[np.float32]:
    """Landmarks [68, 3] of a head whose whole face, forehead to chin, fills a box (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = (float(value) for value in box)
    points = np.zeros((68, 3), np.float32)
    points[:, :2] = (x0 + x1) / 2, (y0 + y1) / 2
    points[[0, 16], 0] = x0, x1
    points[8, 1] = y1
    points[17:27, 1] = y0 + (y1 - y0) / 4  # a third of what is below it
    return points


@dataclass
class Track:
    """Faces at `frames` of a clip; boxes: of the whole face, one for all or one each, x0 y0 x1 y1; bins: likewise."""

    clip: Path
    frames: Sequence[int]
    boxes: Sequence[Any] = (8, 8, 40, 40)
    bins: str | Sequence[str] = "frontal"
    identity: str = "id-000000000001"
    split: str | None = "train"
    selected: int = 1


def tracked_run(out: Path, tracks: Sequence[Track]) -> Path:
    """A run with these tracks, its dedupe table, and a selection of the first `selected` faces of each track."""
    clips = list(dict.fromkeys(track.clip for track in tracks))
    videos = plan_videos([Source(str(clip)) for clip in clips])
    segments: dict[str, list[dict[str, Any]]] = {}
    marks: list[dict[str, Any]] = []
    chosen: list[dict[str, Any]] = []
    for clip, video in zip(clips, videos, strict=True):
        # A photo, too, has a frame 0.
        pts_ns = read_frame_table(str(clip)).pts_ns if video.kind == "video" else np.zeros(1, np.int64)
        name, rows = f"{video.video_id}-00000", []
        for number, track in enumerate(one for one in tracks if one.clip == clip):
            boxes = np.broadcast_to(np.array(track.boxes, np.float32), (len(track.frames), 4))
            bins = [track.bins] * len(track.frames) if isinstance(track.bins, str) else track.bins
            for place, frame in enumerate(track.frames):
                face = {
                    "face_id": f"{video.video_id}:{frame}:{number}",
                    "video_id": video.video_id,
                    "uri": video.uri,
                    "frame_index": frame,
                    "pts_ns": int(pts_ns[frame]),
                    "face_index": number,
                    "track_id": f"{name}:{number}",
                    "bbox": boxes[place],
                    "landmarks": landmarks_in(boxes[place]),
                    "pose_bin": bins[place],
                    "yaw": float(place),
                    "pitch": -2.0,
                }
                rows.append(face)
                marks.append(
                    {
                        "face_id": face["face_id"],
                        "identity_id": track.identity,
                        "stitched_track_id": face["track_id"],
                        "keep": True,
                    }
                )
                if place < track.selected:
                    chosen.append({**marks[-1], "split": track.split, "rank": len(chosen)})
        segments[name] = sorted(rows, key=lambda face: (face["frame_index"], face["face_index"]))
    make_run(out, segments, videos=videos, marks=marks, selections={SELECTION: chosen})
    return out
