"""The faces that a selection chooses from: a run's measurements, identities, duplicates and review marks joined."""

from __future__ import annotations

import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.measure.pose.bins import resolved_bin
from lpff_ray.tables import curated
from lpff_ray.tables.read import scan

TRACK_BIN = "track_bin"
"""The column of `schema.DEDUPE` with the bin of a face's pose, smoothed over its track."""
FINE_BIN = "pose_bin_fine"
_MEASURED = ("det_score", "yaw", "pitch", "roll", "pose_spread", "sharpness", "iqa")
_YAW, _PITCH, _ROLL = (pl.col(name).cast(pl.Float64).radians() for name in ("yaw", "pitch", "roll"))
# `geometry.rotation.direction_from_matrix`, of the entries of the rotation that yaw, pitch and roll make.
DIRECTION = {
    "azimuth": pl.arctan2(_YAW.sin(), _PITCH.cos() * _YAW.cos()),
    "elevation": (_PITCH.sin() * _YAW.cos()).arcsin(),
    "tilt": pl.arctan2(
        _PITCH.cos() * _ROLL.sin() - _PITCH.sin() * _YAW.sin() * _ROLL.cos(),
        _PITCH.cos() * _ROLL.cos() + _PITCH.sin() * _YAW.sin() * _ROLL.sin(),
    ),
}


def selectable_faces(out: str, bins: str, marks: pl.DataFrame) -> pl.DataFrame:
    """All faces of a run with what selecting needs: measurements, `area` of the box in square pixels, identity, `keep`
    (no duplicate), `rejected` by a reviewer, `bin`, `moved`, `regrouped`, and what it belongs to: video_id and track_id
    (joined over the borders of segments).

    bins: the column of measured bins, or TRACK_BIN. marks: `review_state`. `bin` is the reviewer's where there is one,
    and left, right, up or down where the measured one is `profile_horizontal` or `profile_vertical` (`resolved_bin`);
    `moved` says that the two differ: then the angles are not to be trusted. The identity is the reviewer's too
    (`regrouped`), and a face that was split off the one whose duplicate it was is no duplicate. Sorted by face_id:
    vectorised arithmetic may differ in its last bit with a number's position in the array.

    Raises UserError if a face has no identity, as it was mined after the last `dedupe`.
    """
    box = [pl.col("bbox").arr.get(index) for index in range(4)]
    faces = scan(out).select(
        "face_id",
        *("video_id", "track_id"),
        *_MEASURED,
        # Runs of older releases lack these columns.
        *(pl.coalesce(name, angle.degrees()).alias(name) for name, angle in DIRECTION.items()),
        ((box[2] - box[0]) * (box[3] - box[1])).alias("area"),
        pl.col("pose_bin" if bins == TRACK_BIN else bins).alias("measured_bin"),
        pl.col("pose_bin").alias("coarse_bin"),
        pl.col("pose_bin_fine").alias("fine_bin"),
    )
    deduped = (
        curated.dedupe_marks(out)
        .lazy()
        .select("face_id", "identity_id", "keep", "duplicate_of", "stitched_track_id", TRACK_BIN)
    )
    reviewed = marks.lazy().select("face_id", "decision", reviewed_bin="bin", reviewed_identity="identity_id")
    joined = faces.join(deduped, on="face_id", how="left").join(reviewed, on="face_id", how="left").collect()
    unknown = int(joined["identity_id"].null_count())
    if unknown:
        raise UserError(
            f"{out}: {unknown} {'face' if unknown == 1 else 'faces'} without an identity, mined since the last dedupe; "
            f"run lpff-ray dedupe {out}"
        )
    if bins == TRACK_BIN:
        if joined[TRACK_BIN].null_count():
            raise UserError(f"{out}: deduped by a release without track_bin; run lpff-ray dedupe {out}")
        joined = joined.with_columns(pl.col(TRACK_BIN).alias("measured_bin"))
    # EFHQ's table has neither profile_horizontal nor profile_vertical: they are no bins with caps of their own.
    joined = joined.with_columns(
        resolved_bin(pl.col(name), pl.col("fine_bin")).alias(name) for name in ("measured_bin", "coarse_bin")
    )
    bin = _reviewed_bin(bins)
    joined = _regrouped(joined.sort("face_id")).with_columns(
        pl.coalesce("stitched_track_id", "track_id").alias("track_id"),
        (pl.col("decision") == "reject").fill_null(False).alias("rejected"),
        pl.coalesce(bin, "measured_bin").alias("bin"),
        (bin.is_not_null() & (bin != pl.col("measured_bin"))).fill_null(False).alias("moved"),
    )
    return joined.drop("coarse_bin", "fine_bin")


def _reviewed_bin(bins: str) -> pl.Expr:
    """The reviewer's bin in the words of the measured ones, null where it says what was measured.

    Where fine bins are asked for, a bin of EFHQ's that agrees with the measured one leaves the fine one. Else a fine
    bin that was written by hand stands for the one that it is a part of.
    """
    said = pl.col("reviewed_bin")
    if bins == FINE_BIN:
        return pl.when(said == pl.col("coarse_bin")).then(pl.lit(None, pl.String)).otherwise(said)
    return said.str.replace(r"^(left|right|up|down)_\d+_\d+$", "profile_$1")


def _regrouped(faces: pl.DataFrame) -> pl.DataFrame:
    """Faces with the reviewer's identities, `regrouped` where that differs; `keep` where what they repeat differs."""
    now = faces.with_columns(
        pl.coalesce("reviewed_identity", "identity_id").alias("identity_id"),
        (pl.col("reviewed_identity") != pl.col("identity_id")).fill_null(False).alias("regrouped"),
    )
    originals = now.select(duplicate_of="face_id", identity_of_original="identity_id")
    apart = (pl.col("identity_of_original") != pl.col("identity_id")).fill_null(False)
    return (
        now.join(originals, on="duplicate_of", how="left", maintain_order="left")
        .with_columns((pl.col("keep") | apart).alias("keep"))
        .drop("duplicate_of", "identity_of_original", "reviewed_identity")
    )
