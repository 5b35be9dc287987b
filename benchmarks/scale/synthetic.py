"""Made-up runs of any size, of which is known who everybody is and which clips are copies.

Their statistics follow what was measured: the embeddings' spectrum and how far people lie apart on 990 faces of AFLW
(90 of 100 pairs of people 0.41 .. 0.60 apart, 1 of 1,000 below 0.29; here 0.41 .. 0.55, and 1 of 1,000 below 0.34), and
how faces change from one looked-at frame to the next on the 23 shared clips (embedding 0.11, perceptual hash 5 bits,
yaw 0.5 degrees).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.config import MineConfig
from lpff_ray.geometry.rotation import direction_from_matrix, matrix_from_angles
from lpff_ray.measure.columns import EMBEDDING_WIDTH
from lpff_ray.plan.video import Video
from lpff_ray.tables import parts, schema
from lpff_ray.tables.run import Run

TRUTH_FILE = "truth.parquet"
SHOTS, SHOT_FRAMES = 8, 40  # per video, looked-at frames per shot
STEP, FRAME_NS = 5, 40_000_000  # every fifth frame of 25 per second
SEGMENT_S = 45.0  # a border falls into the sixth shot: its tracks have to be stitched
CAST = 3  # people per video
VIDEO_FACES = 225  # on average
COPIES = 0.02  # of the videos repeat another one
_CHUNK = 50  # videos made at once
_WIDTH = EMBEDDING_WIDTH


@dataclass(frozen=True)
class Space:
    """Where embeddings lie: around `middle` [d], varying along `axes` [d, d], most along the first of them."""

    middle: NDArray[np.float32]
    axes: NDArray[np.float32]

    @classmethod
    def of(cls, random: np.random.Generator) -> Space:
        axes = np.linalg.qr(random.standard_normal((_WIDTH, _WIDTH)))[0]
        number = np.arange(_WIDTH)
        # Eigenvalues fitted to those of 990 embeddings of AFLW: 4 axes hold 0.33 of the variance, 16 0.64, 64 0.98.
        variance = (number + 0.29) ** -0.37 * np.exp(-number / 26.6)
        scaled = axes * np.sqrt(variance / variance.sum())
        return cls((0.935 * axes[:, -1]).astype(np.float32), scaled.astype(np.float32))

    def spread(self, shape: tuple[int, ...], size: float, random: np.random.Generator) -> NDArray[np.float32]:
        """Random differences [*shape, d] of root mean square length `size`."""
        return size * random.standard_normal((*shape, _WIDTH), dtype=np.float32) @ self.axes.T


def make_run(out: str, faces: int, seed: int = 0) -> None:
    """Write a finished run of about so many faces into parts, and who is who into `truth.parquet`.

    truth: face_id; person, int64; copy_of, the face_id that a face of a copied clip was made from, else null.
    """
    random = np.random.default_rng(seed)
    run = Run(out, MineConfig(every=STEP, segment_seconds=SEGMENT_S)).begin()
    count = max(4, round(faces / VIDEO_FACES))
    # Ids are hashes of content: they say nothing of the order in which videos were made.
    ids = [f"{number:016x}" for number in random.integers(0, 2**63, count)]
    seconds = SHOTS * SHOT_FRAMES * STEP * FRAME_NS / 1e9
    videos = [
        Video(
            name,
            f"/made-up/{name}.mp4",
            "video",
            1,
            "planned",
            duration_s=seconds,
            fps=25.0,
            width=1280,
            height=720,
        )
        for name in ids
    ]
    run.commit_plan(videos)
    space = Space.of(random)
    people = space.middle + space.spread((count * 3 // 2,), 0.33, random)
    truth = []
    for start in range(0, count, _CHUNK):
        for table, known in _videos(videos[start : start + _CHUNK], people, space, random):
            truth.append(known)
            for (name,), segment in table.partition_by("segment_id", as_dict=True).items():
                record = dict.fromkeys(schema.SEGMENTS, None) | {
                    "segment_id": name,
                    "video_id": segment["video_id"][0],
                    "faces": len(segment),
                    "frames_looked_at": segment["frame_index"].n_unique(),
                    "decoder": "none",
                }
                parts.commit_part(run.folder, str(name), segment, "segment", record, run.config.hash())
    pl.concat(truth).write_parquet(f"{out}/{TRUTH_FILE}")


def _videos(
    videos: list[Video], people: NDArray[np.float32], space: Space, random: np.random.Generator
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Faces and truth of each video; the last few repeat the first few."""
    copies = int(np.ceil(COPIES * len(videos))) if len(videos) > 3 else 0
    made: list[dict[str, Any]] = []
    for number, video in enumerate(videos):
        original = number - (len(videos) - copies)
        if original < 0:
            columns = _one_video(people, space, random)
            made.append(columns | {"of": video.video_id})
        else:
            columns = reencoded(made[original], space, random)
        table = table_of(video, columns)
        copy_of = (
            pl.Series(
                [f"{made[original]['of']}:{frame}:{face}" for frame, face in zip(*_key(columns), strict=True)]
            )
            if original >= 0
            else pl.Series([None] * len(table), dtype=pl.String)
        )
        yield table, table.select("face_id", pl.Series("person", columns["person"]), copy_of.alias("copy_of"))


def _key(columns: dict[str, Any]) -> tuple[list[int], list[int]]:
    return columns["frame"].tolist(), columns["face_index"].tolist()


def _one_video(people: NDArray[np.float32], space: Space, random: np.random.Generator) -> dict[str, NDArray]:
    """A video of shots, each with one or two of its cast, who are seen from a shot's beginning for a while."""
    # Zipf's law: some are in many videos, most in one or two.
    popularity = 1 / np.arange(1, len(people) + 1) ** 0.8
    cast = random.choice(len(people), CAST, replace=False, p=popularity / popularity.sum())
    looks = people[cast] + space.spread((CAST,), 0.10, random)
    second = random.random(SHOTS) < 0.25
    shot = np.concatenate([np.arange(SHOTS), np.flatnonzero(second)])
    face_index = np.repeat([0, 1], [SHOTS, int(second.sum())])
    first_of_cast = random.integers(0, CAST, SHOTS)
    member = (first_of_cast[shot] + face_index) % CAST
    tracks = len(shot)
    length = random.integers(5, SHOT_FRAMES + 1, tracks)
    still = random.random(tracks)[:, None, None] * 2  # some hardly move, some do all the time

    def wander(width: int, size: float) -> NDArray[np.float32]:
        """Steady first-order autoregression [tracks, frames, width]."""
        path = random.standard_normal((tracks, SHOT_FRAMES, width), dtype=np.float32)
        for frame in range(1, SHOT_FRAMES):
            path[:, frame] = 0.75 * path[:, frame - 1] + np.sqrt(1 - 0.75**2) * path[:, frame]
        return size * path

    embedding = looks[member][:, None] + space.spread((tracks,), 0.06, random)[:, None]
    embedding = embedding + still * (wander(_WIDTH, 0.10) @ space.axes.T)
    embedding /= np.linalg.norm(embedding, axis=2, keepdims=True)
    angles = random.normal(0, (20, 10, 8), (tracks, 1, 3)) + still * wander(3, 3.0)
    picture = random.standard_normal((tracks, 1, 64)) + still * wander(64, 0.25)
    centre = np.stack([300 + 600.0 * face_index, np.full(tracks, 350.0)], 1)[:, None] + still * wander(
        2, 10.0
    )
    size = random.uniform(120, 320, (tracks, 1)) * (1 + 0.02 * wander(1, 1.0)[..., 0])
    seen = np.arange(SHOT_FRAMES) < length[:, None]
    frame = ((shot[:, None] * SHOT_FRAMES + np.arange(SHOT_FRAMES)) * STEP)[seen]
    track = np.broadcast_to(np.arange(tracks)[:, None], seen.shape)[seen]
    order = np.lexsort((face_index[track], frame))
    quality = random.uniform(40, 95, (tracks, 1)) + wander(1, 3.0)[..., 0]
    columns = {
        "embedding": embedding[seen],
        "angles": angles[seen],
        "picture": picture[seen],
        "centre": centre[seen],
        "size": size[seen],
        "iqa": np.clip(quality[seen], 0, 100),
        "frame": frame,
        "track": track,
        "face_index": face_index[track],
        "person": cast[member][track],
    }
    return {name: values[order] for name, values in columns.items()}


def reencoded(columns: dict[str, Any], space: Space, random: np.random.Generator) -> dict[str, Any]:
    """The same video at a lower bitrate: every measurement a little different, the quality lower."""
    count = len(columns["frame"])
    embedding = columns["embedding"] + space.spread((count,), 0.02, random)
    return columns | {
        "embedding": embedding / np.linalg.norm(embedding, axis=1, keepdims=True),
        "angles": columns["angles"] + random.normal(0, 0.3, (count, 3)),
        "picture": columns["picture"] + random.normal(0, 0.05, (count, 64)),
        "iqa": np.clip(columns["iqa"] - 10, 0, 100),
    }


def table_of(video: Video, columns: dict[str, Any]) -> pl.DataFrame:
    """A video's faces as in `schema.FACES`, cut into segments as the engine does."""
    count = len(columns["frame"])
    yaw, pitch, roll = columns["angles"].T
    azimuth, elevation, tilt = direction_from_matrix(matrix_from_angles(yaw, pitch, roll)).T
    half = columns["size"][:, None] / 2
    segment = (columns["frame"] * FRAME_NS // int(SEGMENT_S * 1e9)).tolist()
    names = [f"{video.video_id}-{index:05d}" for index in segment]
    bits = (columns["picture"] > 0).astype(np.uint64) << np.arange(64, dtype=np.uint64)
    points = np.linspace(-1, 1, 68 * 3, dtype=np.float32).reshape(68, 3)
    given: dict[str, Any] = {
        "face_id": [f"{video.video_id}:{frame}:{face}" for frame, face in zip(*_key(columns), strict=True)],
        "segment_id": names,
        "track_id": [f"{name}:{track}" for name, track in zip(names, columns["track"].tolist(), strict=True)],
        "frame_index": columns["frame"],
        "pts_ns": columns["frame"] * FRAME_NS,
        "face_index": columns["face_index"].astype(np.int16),
        "bbox": np.hstack([columns["centre"] - half, columns["centre"] + half]).astype(np.float32),
        "landmarks": columns["centre"][:, None, :1].astype(np.float32)
        + points * half[:, None].astype(np.float32),
        "keypoints": points[:5, :2] * half[:, None].astype(np.float32),
        "rotvec": np.radians(columns["angles"]).astype(np.float32),
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "azimuth": azimuth,
        "elevation": elevation,
        "tilt": tilt,
        "face_px": columns["size"],
        "iqa": columns["iqa"],
        "embedding": columns["embedding"].astype(np.float32),
        "phash": bits.sum(axis=1, dtype=np.uint64),
    }
    same: dict[str, Any] = {
        "video_id": video.video_id,
        "uri": video.uri,
        "clip_id": "",
        "frame_width": video.width,
        "frame_height": video.height,
        "det_score": 0.96,
        "translation": [0.0, 0.0, 60.0],
        "pose_bin": "frontal",
        "pose_bin_strict": "frontal",
        "pose_bin_fine": "frontal",
        "pose_spread": 2.0,
        "sharpness": 0.9,
        "brightness": 120.0,
    }
    vote = pl.struct(pl.lit("facemesh").alias("estimator"), "yaw", "pitch", "roll")
    table = pl.DataFrame(
        {
            name: pl.Series(name, given[name]).cast(kind)
            if name in given
            else pl.Series(name, [same.get(name)], dtype=kind).new_from_index(0, count)
            for name, kind in schema.FACES.items()
        }
    )
    return table.with_columns(pl.concat_list(vote, vote).alias("pose_votes")).select(schema.FACES.names())
