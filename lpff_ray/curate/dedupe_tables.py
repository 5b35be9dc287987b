"""The tables that `dedupe` writes, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.curate.duplicates.clips import ClipPair
from lpff_ray.curate.faces import Faces, unit_length
from lpff_ray.curate.identity.average_linkage import cluster_spreads
from lpff_ray.curate.identity.tracks import Tracks
from lpff_ray.curate.track_pose import bins_of, smoothed_rotations
from lpff_ray.geometry.rotation import direction_from_matrix
from lpff_ray.tables import schema

SAME_VIDEO, OTHER_VIDEO = "same_video", "other_video"  # the rules by which a face is a duplicate


@dataclass(frozen=True)
class DedupeTables:
    """What was found: columns as in `schema.IDENTITIES`, `DEDUPE`, `VIDEO_DUPLICATES`; and counts.

    stitched: pieces of tracks that were joined to another one; known: identities that kept an earlier id.
    """

    identities: pl.DataFrame
    marks: pl.DataFrame
    video_duplicates: pl.DataFrame
    stitched: int = 0
    known: int = 0


def mark_rows(
    faces: Faces, tracks: Tracks, identity: NDArray[np.int64], names: list[str], keeper: NDArray[np.int64]
) -> pl.DataFrame:
    """One row per face, columns as in `schema.DEDUPE`.

    identity: int64 [n], the number of each face's; names: of identities. keeper: int64 [n], the row of the kept face
    that each repeats, its own if it is kept.
    """
    keep = keeper == np.arange(len(keeper))
    repeats = np.flatnonzero(~keep)
    similarity = np.full(len(keeper), np.nan, np.float32)
    similarity[repeats] = np.einsum("ij,ij->i", faces.embedding[repeats], faces.embedding[keeper[repeats]])
    same = faces.video == faces.video[keeper]
    smoothed = smoothed_rotations(faces.rotation, tracks.of_face, faces.pts_ns)
    azimuth, elevation, tilt = direction_from_matrix(smoothed).T
    face_id = faces.ids["face_id"]
    marked = pl.DataFrame({"keep": keep, "same": same})
    return pl.DataFrame(
        {
            "face_id": face_id,
            "identity_id": pl.Series(names).gather(identity),
            "stitched_track_id": tracks.names.gather(tracks.of_face),
            "keep": keep,
            "duplicate_of": marked.select(pl.when(~pl.col("keep")).then(face_id.gather(keeper))).to_series(),
            "similarity": pl.Series(similarity).fill_nan(None),
            "rule": marked.select(
                pl.when(pl.col("keep"))
                .then(None)
                .when(pl.col("same"))
                .then(pl.lit(SAME_VIDEO))
                .otherwise(pl.lit(OTHER_VIDEO))
            ).to_series(),
            "track_azimuth": azimuth.astype(np.float32),
            "track_elevation": elevation.astype(np.float32),
            "track_tilt": tilt.astype(np.float32),
            "track_bin": bins_of(smoothed),
        },
        schema=schema.DEDUPE,
    )


def identity_rows(faces: Faces, tracks: Tracks, person: NDArray[np.int64], names: list[str]) -> pl.DataFrame:
    """One row per identity, the one with most faces first, columns as in `schema.IDENTITIES`.

    person: int64 [tracks], the number of each track's identity; names: of identities.
    """
    order = np.argsort(person, kind="stable")
    bounds = np.searchsorted(person[order], np.arange(1, len(names)))
    spread = cluster_spreads(unit_length(tracks.embedding), np.split(order, bounds))
    rows = pl.DataFrame(
        {
            "person": person[tracks.of_face],
            "track": tracks.of_face,
            "video": faces.video,
            "face_id": faces.ids["face_id"],
            "quality": faces.quality,
            "yaw": faces.yaw,
        }
    )
    table = rows.group_by("person").agg(
        pl.len().cast(pl.Int64).alias("faces"),
        pl.col("track").n_unique().cast(pl.Int32).alias("tracks"),
        pl.col("video").n_unique().cast(pl.Int32).alias("videos"),
        pl.col("face_id").get(pl.col("quality").arg_max()).alias("best_face_id"),
        pl.col("yaw").min().alias("yaw_min"),
        pl.col("yaw").max().alias("yaw_max"),
    )
    return (
        table.with_columns(
            pl.Series("identity_id", names).gather(table["person"]),
            pl.Series("spread", spread).gather(table["person"]),
        )
        .sort(["faces", "identity_id"], descending=[True, False])
        .select(schema.IDENTITIES.names())
    )


def video_duplicate_rows(faces: Faces, clips: list[ClipPair]) -> pl.DataFrame:
    """One row per pair, columns as in `schema.VIDEO_DUPLICATES`, without uris yet."""
    first = faces.ids["video_id"].unique(maintain_order=True)
    return schema.frame(
        [
            {
                "video_id": first[pair.copy],
                "duplicate_of": first[pair.original],
                "offset_s": pair.offset_s,
                "overlap_s": pair.overlap_s,
                "faces": pair.faces,
                "agreement": pair.agreement,
            }
            for pair in clips
        ],
        schema.VIDEO_DUPLICATES,
    )


def with_uris(clips: pl.DataFrame, uris: pl.DataFrame) -> pl.DataFrame:
    """Near-duplicate clips with the uris of both; uris: video_id, uri."""
    copies = uris.rename({"uri": "copy_uri"})
    originals = uris.rename({"video_id": "duplicate_of", "uri": "original_uri"})
    joined = clips.join(copies, "video_id", "left", maintain_order="left")
    joined = joined.join(originals, "duplicate_of", "left", maintain_order="left")
    return joined.with_columns(
        pl.col("copy_uri").alias("uri"), pl.col("original_uri").alias("duplicate_of_uri")
    ).select(schema.VIDEO_DUPLICATES.names())
