"""A run that was never mined, over clips whose frames carry their number, and a format that reads it back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from clips import read_index
from numpy.typing import NDArray
from runs import make_run

from lpff_ray.exports.format import FaceFormat, File, OutputFile, OutputImage, Record, Row
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.video import Video
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.curated import write_selection

SELECTION = "some"
FIVE = np.array(
    [[40, 40], [60, 40], [50, 52], [42, 62], [58, 62]], np.float32
)  # a face of 64 x 48 or larger frames


def numbered_run(out: Path, clips: Sequence[Path], frames: Sequence[int], faces_per_frame: int = 1) -> Path:
    """A run with faces at `frames` of every clip, and a selection of all of them in a mixed order."""
    videos = plan_videos([Source(str(clip), kind="sequence" if clip.is_dir() else "") for clip in clips])
    segments = {
        f"{video.video_id}-00000": [
            row_of(video, frame, face) for frame in frames for face in range(faces_per_frame) if video.kind
        ]
        for video in videos
    }
    make_run(out, segments, videos=videos)
    face_ids = [row["face_id"] for rows in segments.values() for row in rows]
    order = np.random.default_rng(0).permutation(len(face_ids)).tolist()
    select(out, [face_ids[place] for place in order])
    return out


def row_of(video: Video, frame: int, face: int) -> Row:
    return {
        "face_id": f"{video.video_id}:{frame}:{face}",
        "video_id": video.video_id,
        "uri": video.uri,
        "frame_index": frame,
        "pts_ns": frame * 40_000_000,
        "face_index": face,
        "keypoints": FIVE + face,
    }


def select(out: Path, face_ids: Sequence[str], name: str = SELECTION) -> None:
    count = len(face_ids)
    columns = {"face_id": face_ids, "split": ["train"] * count, "rank": list(range(count))}
    write_selection(Folder(str(out)), name, schema.frame(columns, schema.SELECTION), {})


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, also those that the export keeps for itself, but for its logs, which tell the time."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "logs" not in path.parts
    }


class Numbered(FaceFormat):
    """Writes each frame as it came, and the number that is painted in it into `seen.json`."""

    packs: bool = False
    pause_s: float = 0.0

    name: ClassVar[str] = "numbered"
    columns: ClassVar[Sequence[str]] = ("keypoints",)

    @property
    def packed(self) -> bool:
        return self.packs

    def make(self, frame: NDArray[np.uint8], row: Row) -> tuple[list[File], Record]:
        time.sleep(self.pause_s)
        files: list[File] = [
            OutputImage(f"{row['index']:04d}.png", frame),
            OutputFile(f"{row['index']:04d}.txt", b"text"),
        ]
        return files, {"seen": read_index(frame), "five": row["keypoints"]}

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        yield OutputFile(
            "seen.json", json.dumps([[r["face_id"], r["seen"], r["five"]] for r in records]).encode()
        )
        if self.packs:
            names = [name for record in records for name in record["files"]]
            yield OutputFile("all.bin", (made.read(name) or b"" for name in names))
