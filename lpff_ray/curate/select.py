"""Selections: which faces of a run belong into a dataset, in which bin, split and order, and how often."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lpff_ray.curate.selection.candidates import selectable_faces
from lpff_ray.curate.selection.empty import NothingSelected, explain_empty
from lpff_ray.curate.selection.funnel import Funnel
from lpff_ray.curate.selection.gates import gate_levels, in_pose_limits, iqa_level, passing_faces
from lpff_ray.curate.selection.histograms import pose_histograms
from lpff_ray.curate.selection.method import Rules
from lpff_ray.curate.selection.registry import METHODS
from lpff_ray.curate.selection.rules import load_rules, preset_beneath
from lpff_ray.curate.selection.sampling import splits
from lpff_ray.curate.selection.source_filter import wanted_sources, without_refused
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.lock import locked
from lpff_ray.tables import curated, schema
from lpff_ray.tables.review.state import review_state
from lpff_ray.tables.run_folder import BUSY, LOCKS, TABLES, WAIT_S, config_hash, open_run_folder, run_record


@dataclass(frozen=True)
class SelectSummary:
    """A finished selection.

    table: columns as in `schema.SELECTION`. funnel: step, faces, one column of counts per bin. rules: what
    `lpff_ray.selection_rules` gives. before: yaw, pitch of the faces that are no duplicates; after: yaw, pitch,
    copies of the selected ones, by rank. files: what was written, relative to `out`.
    """

    out: str
    name: str
    table: pl.DataFrame
    funnel: pl.DataFrame
    rules: dict[str, Any]
    before: pl.DataFrame
    after: pl.DataFrame
    files: tuple[str, ...]


def select(
    out: str,
    name: str,
    preset: str = "efhq",
    overrides: Mapping[str, Any] | None = None,
    *,
    config: str | Path | None = None,
) -> SelectSummary:
    """Select faces of the run `out` and write `selections/NAME.{parquet,json,png}`, and NAME.txt if it repeats faces.

    preset: a name out of `rules.presets()`; config: a TOML file whose `[select]` table holds settings over it, or names
    another `method`, also another package's, which then stands in place of the preset; overrides: settings over both.
    The same tables and rules give the same bytes, whatever the order of rows; an older NAME is replaced.

    Raises UserError if `out` holds no run, was not deduped since faces were mined, if a setting or the reference is
    wrong; NothingSelected, also a UserError, if no face is left. Then nothing is written.
    """
    curated.checked_name(name)
    rules = load_rules(preset, overrides, config)
    beneath = preset_beneath(preset, rules)
    folder = open_run_folder(out)
    run = run_record(folder)
    marks = review_state(out)
    faces, funnel = selectable_faces(out, rules.bins, marks), Funnel()
    funnel.after("faces", faces)
    left = without_refused(out, faces)
    eligible = faces if left is None else funnel.after("not refused", left)
    for step, remaining in wanted_sources(out, eligible, rules).items():
        eligible = funnel.after(step, remaining)
    eligible = funnel.after("not rejected", eligible.filter(~pl.col("rejected")))
    if not rules.duplicates:
        eligible = funnel.after("not duplicate", eligible.filter("keep"))
    limited = in_pose_limits(eligible, rules)
    if limited is not None:
        eligible = funnel.after("pose limits", limited)
    before = eligible.select("yaw", "pitch").sort("yaw", "pitch")
    level = iqa_level(eligible, rules, run["config"].get("iqa", "embedded"))
    levels = gate_levels(rules) | ({} if level is None else {"min_iqa": level})
    failing = {
        gate: len(eligible) - len(passing_faces(eligible, {gate: least})) for gate, least in levels.items()
    }
    passing = funnel.after("quality", passing_faces(eligible, levels))
    found: dict[str, Any] = {"min_iqa": level, "failing": failing}
    method = METHODS.load(rules.method)
    chosen = method.choose(passing, rules, funnel, found)
    funnel.after("selected", chosen)
    if chosen.is_empty():
        wanted = method.choose(eligible, rules, Funnel(), {})
        reason = (
            explain_empty(wanted, levels, method.advice)
            if len(eligible)
            else "there is no face to choose from"
        )
        raise NothingSelected(
            f"{out}: {beneath or rules.method} leaves no face ({funnel.line()}); {reason}", funnel.table()
        )
    table = _table(chosen, rules)
    description = {
        "name": name,
        "preset": beneath,
        "rules": rules.model_dump(mode="json"),
        "found": found,
        "config_hash": config_hash(run),
        "dedupe": folder.json(f"{TABLES}/dedupe.json", "run `dedupe` again"),
        "review": {
            "marks": len(marks),
            "rejected": int(faces["rejected"].sum()),
            "moved": int(faces["moved"].sum()),
            "regrouped": int(faces["regrouped"].sum()),
            "unknown": len(marks.join(faces, "face_id", "anti")),
            "sha256": hashlib.sha256(marks.sort("face_id").write_json().encode()).hexdigest(),
        },
        "funnel": funnel.table().to_dicts(),
    }
    after = table.select("face_id", "copies").join(
        chosen.select("face_id", "yaw", "pitch"), on="face_id", maintain_order="left"
    )
    title = f"{name}: {rules.description}"
    picture = pose_histograms(before, after, title)
    with locked(
        folder, f"{LOCKS}/select-{name}", BUSY, wait_s=WAIT_S
    ):  # so that they are all of one `select`
        files = _write(folder, name, table, description, picture)
    return SelectSummary(out, name, table, funnel.table(), description, before, after, files)


def _table(chosen: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """The selection's rows, in the order in which they were chosen."""
    columns = chosen.drop("bin").rename({"cell": "bin"}) if "cell" in chosen.columns else chosen
    given = {"weight": pl.lit(1.0), "copies": pl.lit(1), "reason": pl.lit(rules.method)}
    table = columns.with_columns(
        splits(columns["identity_id"], rules.test_share, rules.seed),
        *(value.alias(name) for name, value in given.items() if name not in columns.columns),
        pl.int_range(pl.len()).alias("rank"),
    )
    return table.select(pl.col(name).cast(kind) for name, kind in schema.SELECTION.items())


def _write(
    folder: Folder, name: str, table: pl.DataFrame, rules: dict[str, Any], picture: bytes
) -> tuple[str, ...]:
    path = f"{curated.SELECTIONS}/{name}"
    repeated = table.select(pl.col("face_id").repeat_by("copies").explode())
    if len(repeated) > len(table):
        content = io.BytesIO()
        repeated.write_csv(content, include_header=False)
        folder.commit(f"{path}.txt", content.getvalue())
    else:
        folder.remove(f"{path}.txt")
    folder.commit(f"{path}.png", picture)
    curated.write_selection(folder, name, table, rules)
    repeats = (f"{path}.txt",) if len(repeated) > len(table) else ()
    return (f"{path}.parquet", f"{path}.json", f"{path}.png", *repeats)
