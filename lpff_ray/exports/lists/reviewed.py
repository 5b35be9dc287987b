"""What reviewers have said of selected faces since they were selected."""

from __future__ import annotations

import polars as pl

from lpff_ray.exports.lists.bins import POSE_BINS
from lpff_ray.monitoring.wording import counted
from lpff_ray.tables import curated
from lpff_ray.tables.review.state import review_state
from lpff_ray.tables.run_folder import open_run_folder
from lpff_ray.types import ReviewDecision

REJECTED = pl.col("decision").eq_missing(str(ReviewDecision.REJECT))


def without_rejected(run: str, selection: pl.DataFrame, name: str) -> tuple[pl.DataFrame, list[str]]:
    """A selection without the faces that are rejected now, and what to say of it, for the export's summary.

    A selection is a choice under rules, caps and splits among them, so what else was decided since then needs another
    one; but a face that somebody has rejected is in no export that begins later.
    """
    state = review_state(run)
    if state.is_empty():
        return selection, []
    measured = curated.earlier_marks(open_run_folder(run))
    if measured is None:
        measured = pl.DataFrame(schema={"face_id": pl.String(), "identity_id": pl.String()})
    now = selection.join(
        state.select("face_id", "decision", now_bin="bin", reviewed="identity_id"),
        on="face_id",
        how="left",
        maintain_order="left",
    ).join(measured.rename({"identity_id": "measured"}), on="face_id", how="left", maintain_order="left")
    kept = now.filter(~REJECTED)
    person = pl.coalesce("reviewed", "measured")
    changed = ((person != pl.col("identity_id")) & pl.col("identity_id").is_not_null()).fill_null(False) | (
        pl.col("bin").is_in(POSE_BINS) & (pl.col("now_bin") != pl.col("bin"))
    ).fill_null(False)
    again = f"run lpff-ray select {run} --name {name} again"
    notes = []
    if gone := len(now) - len(kept):
        notes.append(f"{counted(gone, 'selected face')} left out, rejected since; {again} to fill the gaps")
    if other := len(kept.filter(changed)):
        notes.append(
            f"{counted(other, 'selected face')} moved, merged or split since, as selected here; {again}"
        )
    return kept.select(selection.columns), notes
