"""The faces that a selection chooses from: a run's measurements, identities, duplicates and review marks joined."""

from __future__ import annotations

import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.tables import curated
from lpff_ray.tables.read import scan

_MEASURED = ("det_score", "yaw", "pitch", "roll", "pose_spread", "sharpness", "iqa")


def selectable_faces(out: str, bins: str, marks: pl.DataFrame) -> pl.DataFrame:
    """All faces of a run with what selecting needs: measurements, `area` of the box in square pixels, identity, `keep`
    (no duplicate), `rejected` by a reviewer, `bin`, `moved`.

    bins: the column of measured bins. marks: review marks, one per face. `bin` is the reviewer's where there is one;
    `moved` says that it differs from the measured one: then the angles are not to be trusted. Sorted by face_id:
    vectorised arithmetic may differ in its last bit with a number's position in the array.

    Raises UserError if a face has no identity, as it was mined after the last `dedupe`.
    """
    box = [pl.col("bbox").arr.get(index) for index in range(4)]
    faces = scan(out).select(
        "face_id",
        *_MEASURED,
        ((box[2] - box[0]) * (box[3] - box[1])).alias("area"),
        pl.col(bins).alias("measured_bin"),
    )
    deduped = curated.dedupe_marks(out).lazy().select("face_id", "identity_id", "keep")
    reviewed = marks.lazy().select("face_id", "decision", pl.col("bin").alias("reviewed_bin"))
    joined = faces.join(deduped, on="face_id", how="left").join(reviewed, on="face_id", how="left").collect()
    unknown = int(joined["identity_id"].null_count())
    if unknown:
        raise UserError(
            f"{out}: {unknown} {'face' if unknown == 1 else 'faces'} without an identity, mined since the last dedupe; "
            f"run lpff-ray dedupe {out}"
        )
    moved = pl.col("reviewed_bin").is_not_null() & (pl.col("reviewed_bin") != pl.col("measured_bin"))
    return joined.sort("face_id").with_columns(
        (pl.col("decision") == "reject").fill_null(False).alias("rejected"),
        pl.coalesce("reviewed_bin", "measured_bin").alias("bin"),
        moved.fill_null(False).alias("moved"),
    )
