"""How the run was made: its speed by stage, its slowest sources, its configuration, models, licences and versions."""

from __future__ import annotations

from typing import Any

import polars as pl

from lpff_ray.config import MineConfig
from lpff_ray.models.cards import load_cards, load_plugins
from lpff_ray.reports.html.gathered import Gathered
from lpff_ray.tables.read import listed
from lpff_ray.tables.status import RunStatus

SLOWEST = 8
_SHOWN = ("uri", "codec", "width", "height", "decoder", "frames_looked_at", "faces", "ms")


def speed(run: Gathered, status: RunStatus) -> dict[str, Any]:
    """Seconds by stage, the largest first, and the sources that took most time per frame."""
    stages = sorted(
        (stage for stage in status.stages if stage.stage != "total"), key=lambda stage: -stage.seconds
    )
    most = max((stage.seconds for stage in stages), default=0.0) or 1.0
    timed = listed(run.files).filter((pl.col("frames_looked_at") > 0) & pl.col("seconds_total").is_finite())
    per_frame = pl.col("seconds_total") / pl.col("frames_looked_at") * 1000
    slowest = (
        timed.with_columns(per_frame.alias("ms")).sort(["ms", "uri"], descending=[True, False]).head(SLOWEST)
    )
    return {
        "stages": [
            {
                "name": stage.stage,
                "seconds": stage.seconds,
                "share": stage.share,
                "bar": stage.seconds / most,
                "per_frame": stage.ms_per_frame,
                "per_face": stage.ms_per_face,
            }
            for stage in stages
        ],
        "seconds": status.seconds,
        "frames_per_second": status.frames_per_second,
        "faces_per_second": status.faces / status.seconds if status.seconds > 0 else 0.0,
        "slowest": slowest.select(_SHOWN).to_dicts(),
    }


def provenance(run: Gathered) -> dict[str, Any]:
    """Settings (with whether each differs from its default), models with their cards, versions."""
    record = run.files.record
    defaults = MineConfig().as_dict()
    config = record["config"]
    settings = [
        {
            "name": name,
            "value": _text(value),
            "changed": name in defaults and value != defaults[name],
        }
        for name, value in config.items()
    ]
    built_in, plugins = load_cards(), load_plugins()
    models = []
    for entry in [*record.get("models", []), *record.get("plugins", [])]:
        card: Any = built_in.get(entry["name"]) or plugins.get(entry["name"])
        models.append(
            {
                "name": entry["name"],
                "licence": entry.get("licence") or getattr(card, "licence", ""),
                "task": getattr(card, "task", ""),
                "citation": getattr(card, "citation", ""),
                "sha256": entry.get("sha256") or "",
                "optional": entry["name"] not in built_in,
            }
        )
    return {
        "settings": settings,
        "hash": run.config_hash,
        "models": models,
        "versions": {name: version for name, version in record.get("versions", {}).items() if version},
        "camera": record.get("camera", {}),
    }


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)
