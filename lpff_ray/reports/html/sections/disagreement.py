"""Where the pose estimators disagree: the worst faces, and how much it is at which azimuth."""

from __future__ import annotations

from typing import Any

import polars as pl

from lpff_ray.reports.html.gathered import Gathered
from lpff_ray.reports.html.samples import Samples

WORST = 36
BAND, BANDS = 15, 6  # degrees; the last one has no upper end


def disagreement(run: Gathered, samples: Samples) -> dict[str, Any]:
    """The faces of largest `pose_spread`, worst first, and its quantiles by absolute azimuth, degrees."""
    measured = run.faces.filter(pl.col("pose_spread").is_finite())
    worst = measured.sort(["pose_spread", "face_id"], descending=[True, False]).head(WORST)
    azimuth, spread = pl.col("azimuth").abs(), pl.col("pose_spread")
    band = (azimuth / BAND).floor().clip(0, BANDS - 1).cast(pl.Int32)
    bands = (
        measured.group_by(band.alias("band"))
        .agg(
            pl.len().alias("faces"),
            spread.median().alias("median"),
            spread.quantile(0.95, "nearest").alias("high"),
            (spread > 20).mean().alias("over_20"),
        )
        .drop_nulls("band")
        .sort("band")
        .collect()
    )
    names = [f"{number * BAND} to {(number + 1) * BAND}" for number in range(BANDS - 1)]
    names.append(f"{(BANDS - 1) * BAND} and more")
    estimators = measured.select(
        pl.col("pose_votes").list.eval(pl.element().struct.field("estimator")).explode()
    )
    return {
        "worst": samples.add(worst.select("face_id").collect()["face_id"]),
        "bands": [row | {"azimuth": names[row["band"]]} for row in bands.iter_rows(named=True)],
        "estimators": estimators.unique().drop_nulls().collect().to_series().sort().to_list(),
    }
