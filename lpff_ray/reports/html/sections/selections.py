"""The data card of each selection: its rules, what they took, how its faces are distributed, and a look at them."""

from __future__ import annotations

from typing import Any

import polars as pl

from lpff_ray.reports.html.gathered import Gathered, Selected
from lpff_ray.reports.html.samples import Samples
from lpff_ray.reports.html.sections.cameras import References, camera_plots

SHOWN = 48
"""Faces of each selection, the first half of them by rank, the others drawn at random."""


def selection_cards(run: Gathered, samples: Samples, references: References) -> list[dict[str, Any]]:
    """A card for each selection."""
    return [_card(run, chosen, samples, references) for chosen in run.selections]


def _card(run: Gathered, chosen: Selected, samples: Samples, references: References) -> dict[str, Any]:
    table, rules = chosen.table, chosen.rules
    settings = rules.get("rules", {})
    ids = table.lazy().select("face_id", "bin", "rank", "copies")
    there = run.faces.join(ids, on="face_id", how="inner")
    gone = len(table) - there.select(pl.len()).collect().item()
    eligible = run.faces if settings.get("duplicates") else run.faces.filter("keep")
    bins = (
        table.group_by("bin")
        .agg(
            pl.len().alias("faces"),
            pl.col("copies").sum().alias("listed"),
            pl.col("identity_id").n_unique().alias("identities"),
            (pl.col("split") == "test").sum().alias("test"),
        )
        .sort(["faces", "bin"], descending=[True, False])
    )
    return {
        "name": chosen.name,
        "preset": rules.get("preset") or settings.get("method") or "",
        "description": settings.get("description", ""),
        "faces": len(table),
        "listed": int(table["copies"].sum()),
        "identities": table["identity_id"].n_unique(),
        "videos": there.select(pl.col("uri").n_unique()).collect().item(),
        "test": int((table["split"] == "test").sum()),
        "bins": bins.to_dicts(),
        "steps": rules.get("funnel", []),
        "bin_names": bin_names(rules.get("funnel", [])),
        "settings": {
            name: value for name, value in settings.items() if value is not None and name != "description"
        },
        "failing": {
            name: count for name, count in rules.get("found", {}).get("failing", {}).items() if count
        },
        "review": {"marks": 0, "rejected": 0, "moved": 0} | rules.get("review", {}),
        "gone": gone,
        "stale": bool(rules.get("config_hash")) and rules["config_hash"] != run.config_hash,
        "cameras": camera_plots(eligible, chosen, references.of(rules), len(run.selections)),
        "shown": samples.add(_shown(table, there)),
    }


def _shown(table: pl.DataFrame, there: pl.LazyFrame) -> list[str]:
    first = table.sort("rank").head(SHOWN // 2)["face_id"].to_list()
    drawn = there.select("face_id", "draw").sort("draw").head(SHOWN).collect()["face_id"].to_list()
    return list(dict.fromkeys([*first, *drawn]))[:SHOWN]


def bin_names(steps: list[dict[str, Any]]) -> list[str]:
    """The bins that a funnel counts, most faces at the beginning first."""
    first = steps[0] if steps else {}
    names = [name for name in first if name not in ("step", "faces")]
    return sorted(names, key=lambda name: (-int(first[name] or 0), name))
