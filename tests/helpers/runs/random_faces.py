"""Parts of runs that were never mined, with random measurements."""

from __future__ import annotations

import numpy as np
import polars as pl

from lpff_ray.config import MineConfig
from lpff_ray.plan.video import Video
from lpff_ray.tables import parts, schema
from lpff_ray.tables.run import Run

CONFIG = MineConfig(every=5)


def video(name: str, seconds: float = 60.0) -> Video:
    return Video(name, f"/videos/{name}.mp4", "video", 1000, "planned", duration_s=seconds, fps=25.0)


def faces(segment_id: str, video_id: str, first_frame: int, count: int) -> pl.DataFrame:
    random = np.random.default_rng(abs(hash(segment_id)) % 2**32)
    columns = {
        "face_id": [f"{video_id}:{first_frame + i}:0" for i in range(count)],
        "video_id": [video_id] * count,
        "uri": [f"/videos/{video_id}.mp4"] * count,
        "segment_id": [segment_id] * count,
        "frame_index": list(range(first_frame, first_frame + count)),
        "face_index": [0] * count,
        "yaw": random.normal(0, 40, count).astype(np.float32),
        "embedding": list(random.normal(size=(count, 128)).astype(np.float32)),
        "landmarks": list(random.normal(size=(count, 68, 3)).astype(np.float32)),
        "pose_votes": [[{"estimator": "facemesh", "yaw": 1.0, "pitch": 2.0, "roll": 3.0}]] * count,
        "phash": [2**64 - 1 - i for i in range(count)],
    }
    return schema.frame(columns, schema.FACES)


def commit(run: Run, video_id: str, index: int, count: int, suffix: str = "") -> str:
    name = f"{video_id}-{index:05d}{suffix}"
    record = {
        **dict.fromkeys(schema.SEGMENTS, None),
        "segment_id": name,
        "video_id": video_id,
        "faces": count,
        "frames_looked_at": 10,
        "frames_missing": 0,
        "decoder": "pyav",
        "seconds_total": 1.5,
    }
    parts.commit_part(
        run.folder, name, faces(name, video_id, index * 1000, count), "segment", record, CONFIG.hash()
    )
    return name
