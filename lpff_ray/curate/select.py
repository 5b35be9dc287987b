"""Selections: which faces of a run belong into a dataset, in which bin, split and order, and how often."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lpff_ray.curate.selection import cameras, density, histograms, uniform
from lpff_ray.curate.selection.candidates import candidates, gate_levels, least_iqa, passes
from lpff_ray.curate.selection.empty import NothingSelected, why
from lpff_ray.curate.selection.funnel import Funnel
from lpff_ray.curate.selection.rules import (
    AnyRules,
    DensityRules,
    PerBinRules,
    UniformRules,
    VerificationRules,
    load_rules,
)
from lpff_ray.curate.selection.sampling import BEST, MOST_TURNED, best_of_each, draws, splits
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import curated, schema
from lpff_ray.tables.run_folder import TABLES, open_run_folder, run_record
from lpff_ray.types import PoseBin

_FRONTAL, _CONFUSED = str(PoseBin.FRONTAL), str(PoseBin.CONFUSED)


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

    preset: a name of `rules.presets()`; config: a TOML file of settings over it; overrides: settings over both.
    The same tables and rules give the same bytes, whatever the order of rows; an older NAME is replaced.

    Raises UserError if `out` holds no run, was not deduped since faces were mined, if a setting or the reference is
    wrong; NothingSelected, also a UserError, if no face is left. Then nothing is written.
    """
    curated.checked_name(name)
    rules = load_rules(preset, overrides, config)
    folder = open_run_folder(out)
    run = run_record(folder)
    marks = curated.review(out).unique("face_id", keep="last", maintain_order=True)
    faces, funnel = candidates(out, rules.bins, marks), Funnel()
    funnel.after("faces", faces)
    pool = funnel.after("not rejected", faces.filter(~pl.col("rejected")))
    if not rules.duplicates:
        pool = funnel.after("not duplicate", pool.filter("keep"))
    before = pool.select("yaw", "pitch").sort("yaw", "pitch")
    level = least_iqa(pool, rules, run["config"].get("iqa", "embedded"))
    levels = gate_levels(rules) | ({} if level is None else {"min_iqa": level})
    failing = {gate: len(pool) - len(pool.filter(passes(gate, least))) for gate, least in levels.items()}
    good = funnel.after("quality", pool.filter([passes(*gate) for gate in levels.items()]))
    found: dict[str, Any] = {"min_iqa": level, "failing": failing}
    choose = _METHODS[type(rules)]
    chosen = choose(good, rules, funnel, found)
    funnel.after("selected", chosen)
    if chosen.is_empty():
        wanted = choose(pool, rules, Funnel(), {})
        reason = why(wanted, levels, rules) if len(pool) else "there is no face to choose from"
        raise NothingSelected(f"{out}: {preset} leaves no face ({funnel.line()}); {reason}", funnel.table())
    table = _table(chosen, rules)
    description = {
        "name": name,
        "preset": preset,
        "rules": rules.model_dump(mode="json"),
        "found": found,
        "config_hash": run["config_hash"],
        "dedupe": folder.json(f"{TABLES}/dedupe.json", "run `dedupe` again"),
        "review": {
            "marks": len(marks),
            "rejected": int(faces["rejected"].sum()),
            "moved": int(faces["moved"].sum()),
            "sha256": hashlib.sha256(marks.sort("face_id").write_json().encode()).hexdigest(),
        },
        "funnel": funnel.table().to_dicts(),
    }
    after = table.select("face_id", "copies").join(
        chosen.select("face_id", "yaw", "pitch"), on="face_id", maintain_order="left"
    )
    title = f"{name}: {rules.description}"
    files = _write(folder, name, table, description, histograms.picture(before, after, title))
    return SelectSummary(out, name, table, funnel.table(), description, before, after, files)


def _per_bin(pool: pl.DataFrame, rules: PerBinRules, funnel: Funnel, found: dict[str, Any]) -> pl.DataFrame:
    left_out = [_CONFUSED] if rules.with_frontal else [_CONFUSED, _FRONTAL]
    posed = funnel.after("pose", pool.filter(~pl.col("bin").is_in(left_out)))
    best = funnel.after(
        "caps", best_of_each(posed, ("bin", "identity_id"), MOST_TURNED, rules.per_identity_bin)
    )
    reason = pl.format("number {} of its identity in {} by |yaw|, |pitch|, iqa", pl.col("place") + 1, "bin")
    return best.with_columns(reason.alias("reason"))


def _density(pool: pl.DataFrame, rules: DensityRules, funnel: Funnel, found: dict[str, Any]) -> pl.DataFrame:
    reference = cameras.reference_cameras(rules.reference)
    found["reference"] = {
        "cameras": len(reference),
        # Rounded: the last bits of sines and cosines depend on where in memory an array lies.
        "sha256": hashlib.sha256((reference.round(6) + 0.0).tobytes()).hexdigest(),
    }
    # A face that a reviewer moved to another bin has no angles to be trusted with.
    pool = pool.filter(~pl.col("moved"))
    seen_from = cameras.from_angles(*(pool[angle].to_numpy() for angle in ("yaw", "pitch", "roll")))
    pool = pool.with_columns(
        pl.Series("theta", seen_from[:, 0]),
        pl.Series("phi", seen_from[:, 1]),
        pl.Series("rarity", density.estimate(reference).at(seen_from)),
    )
    rare = funnel.after("pose", pool.filter(pl.col("rarity") < rules.max_density))
    chosen = best_of_each(rare, ("bin", "identity_id"), BEST, rules.per_identity_bin).sort(
        "rarity", "face_id"
    )
    funnel.after("caps", chosen)
    reason = pl.format("density {} per square radian in the reference", pl.col("rarity").round_sig_figs(2))
    chosen = chosen.with_columns(reason.alias("reason"))
    if rules.rebalance == "none" or chosen.is_empty():
        return chosen
    own = chosen.select("theta", "phi").to_numpy()
    sets = [own, cameras.mirrored(own)] if rules.mirrored else [own]
    if rules.rebalance == "with_reference":
        sets.append(reference)
    crowding = density.estimate(np.concatenate(sets)).at(own)
    return chosen.with_columns(
        pl.Series("copies", density.copies(crowding, rules.copy_densities)),
        pl.Series("weight", density.weights(crowding, rules.copy_densities)),
    )


def _uniform(pool: pl.DataFrame, rules: UniformRules, funnel: Funnel, found: dict[str, Any]) -> pl.DataFrame:
    inside = (pl.col("yaw").abs() < rules.max_yaw) & (pl.col("pitch").abs() < rules.max_pitch)
    posed = funnel.after("pose", pool.filter(inside, ~pl.col("moved")))
    posed = posed.with_columns(uniform.cell(rules.cell_degrees).alias("cell"))
    capped = best_of_each(posed, ("cell", "identity_id"), BEST, rules.per_identity_bin).drop("place")
    found["usable"] = len(capped)
    chosen = uniform.choose(funnel.after("caps", capped), rules.budget, rules.variety)
    reason = pl.format(
        "pick {} of {} in its cell, face {} of its identity there",
        pl.col("pick") + 1,
        "share",
        pl.col("face_of_identity") + 1,
    )
    return chosen.with_columns(reason.alias("reason"))


def _verification(
    pool: pl.DataFrame, rules: VerificationRules, funnel: Funnel, found: dict[str, Any]
) -> pl.DataFrame:
    known = pool.filter(pl.col("bin") != _CONFUSED)
    posed = funnel.after("pose", known.filter(pl.len().over("identity_id") >= rules.min_faces))
    drawn = posed.with_columns(draws(posed["face_id"], rules.seed))
    most = (
        pl.when(pl.col("bin") == _FRONTAL)
        .then(rules.frontal_per_identity)
        .otherwise(rules.profile_per_identity_bin)
    )
    shuffled = best_of_each(drawn, ("identity_id", "bin"), (pl.col("draw"),), None)
    chosen = funnel.after("caps", shuffled.filter(pl.col("place") < most))
    reason = pl.format("drawn as number {} of its identity in {}", pl.col("place") + 1, "bin")
    return chosen.with_columns(reason.alias("reason"))


_METHODS: dict[type, Callable[[pl.DataFrame, Any, Funnel, dict[str, Any]], pl.DataFrame]] = {
    PerBinRules: _per_bin,
    DensityRules: _density,
    UniformRules: _uniform,
    VerificationRules: _verification,
}


def _table(chosen: pl.DataFrame, rules: AnyRules) -> pl.DataFrame:
    """The selection's rows, in the order in which they were chosen."""
    columns = chosen.drop("bin").rename({"cell": "bin"}) if "cell" in chosen.columns else chosen
    given = {"weight": pl.lit(1.0), "copies": pl.lit(1)}
    table = columns.with_columns(
        splits(columns["identity_id"], rules.test_share, rules.seed),
        *(value.alias(name) for name, value in given.items() if name not in columns.columns),
        pl.int_range(pl.len()).alias("rank"),
    )
    return table.select(pl.col(name).cast(kind) for name, kind in schema.SELECTION.items())


def _write(
    folder: Folder, name: str, table: pl.DataFrame, rules: dict[str, Any], picture: bytes
) -> tuple[str, ...]:
    place = f"{curated.SELECTIONS}/{name}"
    repeated = table.select(pl.col("face_id").repeat_by("copies").explode())
    if len(repeated) > len(table):
        content = io.BytesIO()
        repeated.write_csv(content, include_header=False)
        folder.commit(f"{place}.txt", content.getvalue())
    else:
        folder.remove(f"{place}.txt")
    folder.commit(f"{place}.png", picture)
    curated.write_selection(folder, name, table, rules)
    repeats = (f"{place}.txt",) if len(repeated) > len(table) else ()
    return (f"{place}.parquet", f"{place}.json", f"{place}.png", *repeats)
