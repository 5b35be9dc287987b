"""What selection methods share: a cap per group, random draws and a train/test split that no order of rows changes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import polars as pl

Group = Literal["identity", "clip", "video", "track"]
"""What a cap counts the faces of: a person; a clip as it was planned; a video file, whatever its clips; a track."""
PER = "what the cap counts the faces of, in each bin: an identity, a clip, a video (all clips of one file) or a track"
"""What the setting of that name means."""
_GROUPS = {
    "identity": pl.col("identity_id"),
    "clip": pl.col("video_id"),
    "video": pl.col("video_id").str.split("-").list.first(),  # a clip's id is its file's, and a suffix
    "track": pl.col("track_id"),
}
BEST_IQA = (-pl.col("iqa"),)


def best_of_each(
    faces: pl.DataFrame, groups: Sequence[str], order: Sequence[pl.Expr], most: int | None
) -> pl.DataFrame:
    """The first `most` faces (None: all) of every group in `order`, face_id last, with their `position` from 0.

    Sorted by groups, then position, whatever the order of the rows.
    """
    ordered = faces.sort([*groups, *order, "face_id"]).with_columns(
        pl.int_range(pl.len()).over(list(groups)).alias("position")
    )
    return ordered if most is None else ordered.filter(pl.col("position") < most)


def best_per_group(
    faces: pl.DataFrame, per: Group, order: Sequence[pl.Expr], most: int | None
) -> pl.DataFrame:
    """The first `most` faces (None: all) of every bin of every group, with their `position`; see `best_of_each`."""
    return best_of_each(faces.with_columns(_GROUPS[per].alias("group")), ("bin", "group"), order, most)


def splits(identity_ids: pl.Series, test_share: float, seed: int) -> pl.Series:
    """ "train" or "test" for every identity: the first 64 bits of SHA-256 of "seed:identity", as a number in 0..1.

    An identity's answer depends on nothing else: it stays what it is when the run grows, and in every selection of
    one seed and share.
    """
    names = identity_ids.unique().to_list()
    split = ["test" if _hash_share(f"{seed}:{name}") < test_share else "train" for name in names]
    return identity_ids.replace_strict(names, split, return_dtype=pl.String).alias("split")


def draws(face_ids: pl.Series, seed: int) -> pl.Series:
    """A number in 0..1 for every face, by hash: sorting by it is a shuffle that the order of rows can not change."""
    return pl.Series("draw", [_hash_share(f"{seed}:{name}") for name in face_ids], pl.Float64)


def _hash_share(text: str) -> float:
    """The first 64 bits of a text's SHA-256 as a number in 0..1."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
