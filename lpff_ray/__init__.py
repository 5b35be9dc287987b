"""Mine faces with pose, quality and identity out of large video collections.

import lpff_ray
lpff_ray.mine("videos/", out="run")
lpff_ray.scan("run").filter(pl.col("yaw").abs() > 60).collect()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lpff_ray.config import MineConfig
    from lpff_ray.curate.config import DedupeConfig
    from lpff_ray.curate.dedupe import dedupe
    from lpff_ray.curate.select import select
    from lpff_ray.errors import UserError
    from lpff_ray.run.analyze import analyze
    from lpff_ray.run.mine import mine
    from lpff_ray.tables.curated import dedupe_marks, identities, selection, selection_rules, video_duplicates
    from lpff_ray.tables.read import quarantine, scan, segments, videos

__all__ = [
    "DedupeConfig",
    "MineConfig",
    "UserError",
    "analyze",
    "dedupe",
    "dedupe_marks",
    "identities",
    "mine",
    "quarantine",
    "scan",
    "segments",
    "select",
    "selection",
    "selection_rules",
    "video_duplicates",
    "videos",
]

_HOMES = {
    "DedupeConfig": "lpff_ray.curate.config",
    "MineConfig": "lpff_ray.config",
    "UserError": "lpff_ray.errors",
    "Analyzer": "lpff_ray.run.analyze",
    "analyze": "lpff_ray.run.analyze",
    "compact": "lpff_ray.tables.compact",
    "dedupe": "lpff_ray.curate.dedupe",
    "dedupe_marks": "lpff_ray.tables.curated",
    "identities": "lpff_ray.tables.curated",
    "mine": "lpff_ray.run.mine",
    "quarantine": "lpff_ray.tables.read",
    "scan": "lpff_ray.tables.read",
    "segments": "lpff_ray.tables.read",
    "select": "lpff_ray.curate.select",
    "selection": "lpff_ray.tables.curated",
    "selection_rules": "lpff_ray.tables.curated",
    "video_duplicates": "lpff_ray.tables.curated",
    "videos": "lpff_ray.tables.read",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: reading a table must not wait for torch and the decoders."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lpff_ray' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
