"""Mine faces with pose, quality and identity out of large video collections.

import lpff_ray
lpff_ray.mine("videos/", out="run")
lpff_ray.scan("run").filter(pl.col("yaw").abs() > 60).collect()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lpff_ray.config import MineConfig
    from lpff_ray.errors import UserError
    from lpff_ray.mining import mine
    from lpff_ray.pictures import analyze
    from lpff_ray.tables.read import quarantine, scan, segments, videos

__all__ = ["MineConfig", "UserError", "analyze", "mine", "quarantine", "scan", "segments", "videos"]

_HOMES = {
    "MineConfig": "lpff_ray.config",
    "UserError": "lpff_ray.errors",
    "analyze": "lpff_ray.pictures",
    "mine": "lpff_ray.mining",
    "quarantine": "lpff_ray.tables.read",
    "scan": "lpff_ray.tables.read",
    "segments": "lpff_ray.tables.read",
    "videos": "lpff_ray.tables.read",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: reading a table must not wait for torch and the decoders."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lpff_ray' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
