"""Makers of faces tables of people who do not exist, with everything that curation reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from lpff_ray.curate.faces import COLUMNS
from lpff_ray.tables import schema

WIDTH = 128
FPS = 25
_BITS = np.random.default_rng(7).normal(size=(WIDTH + 3, 64))


def person(number: int) -> np.ndarray:
    """Somebody's embedding, float64 [WIDTH], unit length; two people are about 1.4 apart."""
    vector = np.random.default_rng(1000 + number).normal(size=WIDTH)
    return vector / np.linalg.norm(vector)


def video(
    name: str,
    people: Sequence[int],
    frames: int = 40,
    *,
    seed: int = 0,
    every: int = 5,
    segment_frames: int = 10_000,
    quality: float = 80.0,
    still: bool = False,
) -> pl.DataFrame:
    """Faces of people who sit side by side and turn their heads slowly, columns as in `COLUMNS`.

    name: its video_id. frames: looked at, of every `every`th. seed: of how they move; the same with any cut into
    segments of `segment_frames` looked-at frames. still: they do not move at all.
    """
    rows = []
    for position, number in enumerate(people):
        walk = np.random.default_rng([seed, number])
        angles = np.cumsum(walk.normal(size=(frames, 3)) * (0.0 if still else 3.0), axis=0)
        mood = walk.normal(size=WIDTH) * 0.06 / np.sqrt(WIDTH)
        drift = np.cumsum(walk.normal(size=(frames, WIDTH)) * (0.0 if still else 0.015), axis=0) / np.sqrt(
            WIDTH
        )
        embedding = person(number) + mood + drift
        embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
        looks = np.concatenate([8 * embedding, angles / 30], axis=1) @ _BITS > 0
        hashes = np.packbits(looks, axis=1, bitorder="little").view(np.uint64)[:, 0]
        shake = walk.normal(size=frames)
        for index in range(frames):
            segment = f"{name}-{index // segment_frames:05d}"
            rows.append(
                {
                    "face_id": f"{name}:{index * every}:{position}",
                    "video_id": name,
                    "frame_index": index * every,
                    "face_index": position,
                    "pts_ns": index * every * 1_000_000_000 // FPS,
                    "segment_id": segment,
                    "track_id": f"{segment}:{position}",
                    "bbox": [
                        200.0 * position + shake[index],
                        100.0,
                        200.0 * position + 150 + shake[index],
                        250.0,
                    ],
                    "det_score": 0.95,
                    "yaw": angles[index, 0],
                    "pitch": angles[index, 1] / 2,
                    "roll": angles[index, 2] / 2,
                    "face_px": 150.0,
                    "iqa": quality + (index * 37 % 11) / 10,
                    "embedding": embedding[index],
                    "phash": int(hashes[index]),
                }
            )
    return schema.frame(rows, schema.FACES).select(COLUMNS)


def joined(*videos: pl.DataFrame) -> pl.DataFrame:
    """One table, in the order of the faces table."""
    return pl.concat(videos).sort(schema.SORT_KEY)


def later(table: pl.DataFrame, seconds: float, step: int = 5) -> pl.DataFrame:
    """The same later, with frame numbers to match."""
    frames = round(seconds * 25)
    name = pl.col("face_id").str.split(":")
    return table.with_columns(
        pl.col("frame_index") + frames,
        pl.col("pts_ns") + frames * 40_000_000,
        pl.format(
            "{}:{}:{}", name.list.get(0), name.list.get(1).cast(pl.Int64) + frames, name.list.get(2)
        ).alias("face_id"),
        pl.format("{}-late", "segment_id").alias("segment_id"),
        pl.format("{}-late", "track_id").alias("track_id"),
    )
