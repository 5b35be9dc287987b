"""A small run with something in every table, and names that are made to break out of a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl
from handmade import crowd, handmade_run

import lpff_ray
from lpff_ray.errors import Failure
from lpff_ray.plan.segment import Segment
from lpff_ray.plan.video import Video
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import curated, schema
from lpff_ray.tables.run import Run
from lpff_ray.tables.thumbnails import commit_thumbnails

HOSTILE = "<img src=x onerror=alert(1)>.mp4"
HOSTILE_URI = f"/videos/</script><script>alert(2)</script>/{HOSTILE}"
HOSTILE_CLIP = "\"><b onmouseover='alert(3)'>clip</b>"
HOSTILE_TRACEBACK = "Traceback\n  </pre><script>alert(4)</script>\nValueError: <b>bold</b> & \u202edlob\u202c"
SELECTION = "turned"
BOX, REGION = [100.0, 120.0, 200.0, 240.0], [50.0, 80.0, 250.0, 280.0]


def picture(number: int) -> bytes:
    """A JPEG of 128 pixels whose colour is its number's."""
    colour = np.array([number * 37 % 200 + 40, number * 91 % 200 + 40, 120], np.uint8)
    return bytes(cv2.imencode(".jpg", np.broadcast_to(colour, (128, 128, 3)))[1])


def made_up_faces(count: int) -> list[dict[str, Any]]:
    """Rows of the faces table, of six people; every fifth repeats the one before."""
    faces = crowd(count)
    for number, face in enumerate(faces):
        angles = {"yaw": face["yaw"], "pitch": face["pitch"], "roll": 0.0}
        face |= {
            "uri": HOSTILE_URI,
            "segment_id": "v-00000",
            "clip_id": HOSTILE_CLIP,
            "pts_ns": number * 40_000_000,
            "bbox": BOX,
            "face_px": 60.0 + 5 * number,
            "brightness": 120.0,
            "pose_spread": float(number),
            "pose_votes": [
                {"estimator": name, **angles, "yaw": face["yaw"] + off} for name, off in (("a", 1), ("b", -1))
            ],
            "keep": number % 5 != 4,
        }
    return faces


def made_up_run(
    out: Path,
    count: int = 60,
    *,
    deduped: bool = True,
    selected: bool = True,
    pictures: bool = True,
    failing: bool = True,
) -> str:
    """Write the run; each flag takes a kind of table away. No faces: not even a segment that was mined."""
    faces = made_up_faces(count)
    handmade_run(out, faces, deduped=False)
    run = Run(str(out), lpff_ray.MineConfig())
    run.commit_plan([Video("v", HOSTILE_URI, "video", 1, "planned", fps=25.0, duration_s=9.0)])
    if deduped:
        write_dedupe(run.folder, faces)
    if selected:
        lpff_ray.select(str(out), SELECTION, "lpff", {"min_iqa_quantile": 0.0, "max_density": 5.0})
    if pictures:
        rows = {
            "face_id": [face["face_id"] for face in faces],
            "jpeg": [picture(number) for number in range(count)],
            "region": [REGION] * count,
        }
        commit_thumbnails(run.folder, "v-00000", schema.frame(rows, schema.THUMBNAILS))
    if failing:
        write_failure(run)
    return str(out)


def write_dedupe(folder: Folder, faces: list[dict[str, Any]]) -> None:
    """The tables of `dedupe`: marks, identities, repeated clips."""
    marks = [
        {
            "face_id": face["face_id"],
            "identity_id": face["identity"],
            "keep": face["keep"],
            "duplicate_of": None if face["keep"] else faces[number - 1]["face_id"],
            "similarity": None if face["keep"] else 0.99 - number / 1000,
            "rule": None if face["keep"] else ("same_video", "other_video")[number % 2],
        }
        for number, face in enumerate(faces)
    ]
    table = schema.frame(marks, schema.DEDUPE)
    people = table.group_by("identity_id").agg(
        pl.len().cast(pl.Int64).alias("faces"), pl.lit(2).alias("tracks"), pl.lit(1).alias("videos")
    )
    people = people.sort(["faces", "identity_id"], descending=[True, False])
    clips = [{"uri": HOSTILE_URI, "duplicate_of_uri": "/videos/b.mp4", "offset_s": 1.0, "overlap_s": 4.0}]
    tables = {
        "dedupe": table,
        "identities": schema.conformed(people, schema.IDENTITIES),
        "video_duplicates": schema.frame(clips, schema.VIDEO_DUPLICATES),
    }
    for name, rows in tables.items():
        folder.commit(curated.table_file(name), schema.parquet_bytes(rows))


def write_failure(run: Run) -> None:
    """A segment in quarantine, and the log that has its traceback."""
    video = Video("w", HOSTILE_URI.replace("mp4", "mkv"), "video", 1, "planned")
    run.commit_plan([video])
    failure = Failure("decode", "ValueError", "<b>bold packet 77", "pyav", HOSTILE_TRACEBACK)
    log = "logs/failures-1.jsonl"
    line = {
        **{"time": "2026-01-01T00:00:00.000", "item": "w-00000", "uri": video.uri, "stage": failure.stage},
        **{"kind": failure.kind, "message": failure.message, "attempt": 1, "decoder": "pyav"},
        **{"outcome": "quarantined", "traceback": failure.traceback},
    }
    run.folder.commit(log, json.dumps(line).encode() + b"\n")
    run.commit_quarantine(Segment("w-00000", video, 0, None, None), failure, 3, log)
