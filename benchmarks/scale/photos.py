"""Made-up runs of photos: every face a track of its own, of which is known who it is and which photos are copies."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.scale.synthetic import COPIES, STEP, TRUTH_FILE, Space, reencoded, table_of
from lpff_ray.config import MineConfig
from lpff_ray.plan.video import Video
from lpff_ray.tables import parts, schema
from lpff_ray.tables.run import Run

EACH = 4.5  # photos per person, on average
# Half of the pairs of one person's photos are within 0.30; pairs of people are as far apart as in AFLW, 0.40 .. 0.61.
_PERSON, _PHOTO = 0.285, 0.21
_PART = 2500  # photos of which one part is made


def make_photos(out: str, faces: int, seed: int = 0) -> None:
    """Write a finished run of so many photos, of one face each, and who is who into `truth.parquet`, as `make_run`.

    A part holds many photos, where the engine makes one of each: it is `dedupe` that is measured, not their reading.
    """
    random = np.random.default_rng(seed)
    run = Run(out, MineConfig(every=STEP)).begin()
    ids = [f"{number:016x}" for number in np.sort(random.integers(0, 2**63, faces))]
    parted = [ids[start : start + _PART] for start in range(0, faces, _PART)]
    # The first photo of a part stands for it in the plan.
    videos = [
        Video(some[0], f"/made-up/{some[0]}.jpg", "photo", 1, "planned", width=1280, height=720)
        for some in parted
    ]
    run.commit_plan(videos)
    space = Space.of(random)
    people = space.middle + space.spread((max(1, round(faces / EACH)),), _PERSON, random)
    truth = []
    for video, some in zip(videos, parted, strict=True):
        copies = int(COPIES * len(some))
        columns = _photos(people, space, len(some) - copies, random)
        again = reencoded({name: values[:copies] for name, values in columns.items()}, space, random)
        columns = {name: np.concatenate([values, again[name]]) for name, values in columns.items()}
        photo, name = pl.Series(some), pl.Series(some) + "-00000"
        table = table_of(video, columns).with_columns(
            photo.alias("video_id"),
            (photo + ":0:0").alias("face_id"),
            name.alias("segment_id"),
            (name + ":0").alias("track_id"),
        )
        copy_of = pl.Series(
            [None] * (len(some) - copies) + table["face_id"][:copies].to_list(), dtype=pl.String
        )
        person = pl.Series("person", columns["person"])
        truth.append(table.select("face_id", person, copy_of.alias("copy_of")))
        record = dict.fromkeys(schema.SEGMENTS, None) | {
            "segment_id": name[0],
            "video_id": video.video_id,
            "faces": len(table),
            "frames_looked_at": len(table),
            "decoder": "none",
        }
        parts.commit_part(run.folder, name[0], table, "segment", record, run.config.hash())
    pl.concat(truth).write_parquet(f"{out}/{TRUTH_FILE}")


def _photos(
    people: NDArray[np.float32], space: Space, count: int, random: np.random.Generator
) -> dict[str, NDArray]:
    """So many photos of people drawn at random, each of another day."""
    person = random.integers(0, len(people), count)
    embedding = people[person] + space.spread((count,), _PHOTO, random)
    nothing = np.zeros(count, np.int64)
    return {
        "embedding": embedding / np.linalg.norm(embedding, axis=1, keepdims=True),
        "angles": random.normal(0, (20, 10, 8), (count, 3)),
        "picture": random.standard_normal((count, 64)),
        "centre": np.full((count, 2), 350.0),
        "size": random.uniform(120, 320, count),
        "iqa": random.uniform(40, 95, count),
        "frame": nothing,
        "track": nothing,
        "face_index": nothing,
        "person": person,
    }
