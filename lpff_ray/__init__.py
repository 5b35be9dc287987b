"""Mine faces with pose, quality and identity out of large video collections.

import lpff_ray
lpff_ray.mine("videos/", out="run")
lpff_ray.scan("run").filter(pl.col("yaw").abs() > 60).collect()

The work: `mine`, `rebuild`, `dedupe`, `select`, `export`, `push`, `compact`; of pictures in memory: `analyze`. How good
an embedding is: `evaluate`, `evaluate_identity`; how far apart two sets of pictures are: `evaluate_fid`. How far a run
is: `status`. The tables: `scan` (the faces), `videos`, `segments`, `quarantine`, `failures`, `identities`,
`dedupe_marks`, `video_duplicates`, `selection`, `selection_rules`, `review_state`, `rebuilt`. Small pictures of some
faces: `thumbnails`, `sheet`. A page to look at: `report`. Each is imported when it is first used, so that reading a
table needs no decoder and no model.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lpff_ray.config import MineConfig
    from lpff_ray.curate.config import DedupeConfig
    from lpff_ray.curate.dedupe import DedupeSummary, dedupe
    from lpff_ray.curate.rebuild.rebuild import RebuildSummary, rebuild
    from lpff_ray.curate.select import SelectSummary, select
    from lpff_ray.errors import UserError
    from lpff_ray.exports.evaluation.fid import evaluate_fid
    from lpff_ray.exports.evaluation.people import evaluate_identity
    from lpff_ray.exports.evaluation.verification import evaluate
    from lpff_ray.exports.hub import PushSummary, push
    from lpff_ray.exports.job import ExportSummary, export
    from lpff_ray.reports.html.report import report
    from lpff_ray.reports.sheets.sheet import sheet
    from lpff_ray.run.analyze import Analyzer, analyze
    from lpff_ray.run.mine import MineSummary, mine
    from lpff_ray.tables.compact import Compaction, compact
    from lpff_ray.tables.curated import (
        dedupe_marks,
        identities,
        rebuilt,
        selection,
        selection_rules,
        video_duplicates,
    )
    from lpff_ray.tables.failure_causes import FailureCause, failure_causes
    from lpff_ray.tables.failures import read_failures as failures
    from lpff_ray.tables.read import quarantine, scan, segments, videos
    from lpff_ray.tables.review.state import review_state
    from lpff_ray.tables.status import RunStatus, status
    from lpff_ray.tables.thumbnails import thumbnails

for _package in ("lpff_ray", "cluster", "actors"):  # a library is silent until its caller asks for its log
    logging.getLogger(_package).addHandler(logging.NullHandler())

__all__ = [
    "Analyzer",
    "Compaction",
    "DedupeConfig",
    "DedupeSummary",
    "ExportSummary",
    "FailureCause",
    "MineConfig",
    "MineSummary",
    "PushSummary",
    "RebuildSummary",
    "RunStatus",
    "SelectSummary",
    "UserError",
    "analyze",
    "compact",
    "dedupe",
    "dedupe_marks",
    "evaluate",
    "evaluate_fid",
    "evaluate_identity",
    "export",
    "failure_causes",
    "failures",
    "identities",
    "mine",
    "push",
    "quarantine",
    "rebuild",
    "rebuilt",
    "report",
    "review_state",
    "scan",
    "segments",
    "select",
    "selection",
    "selection_rules",
    "sheet",
    "status",
    "thumbnails",
    "video_duplicates",
    "videos",
]

_MODULES = {
    "lpff_ray.config": ("MineConfig",),
    "lpff_ray.curate.config": ("DedupeConfig",),
    "lpff_ray.curate.dedupe": ("DedupeSummary", "dedupe"),
    "lpff_ray.curate.rebuild.rebuild": ("RebuildSummary", "rebuild"),
    "lpff_ray.curate.select": ("SelectSummary", "select"),
    "lpff_ray.errors": ("UserError",),
    "lpff_ray.exports.evaluation.fid": ("evaluate_fid",),
    "lpff_ray.exports.evaluation.people": ("evaluate_identity",),
    "lpff_ray.exports.hub": ("PushSummary", "push"),
    "lpff_ray.exports.job": ("ExportSummary", "export"),
    "lpff_ray.reports.html.report": ("report",),
    "lpff_ray.reports.sheets.sheet": ("sheet",),
    "lpff_ray.run.analyze": ("Analyzer", "analyze"),
    "lpff_ray.run.mine": ("MineSummary", "mine"),
    "lpff_ray.tables.compact": ("Compaction", "compact"),
    "lpff_ray.tables.curated": (
        "dedupe_marks",
        "identities",
        "rebuilt",
        "selection",
        "selection_rules",
        "video_duplicates",
    ),
    "lpff_ray.tables.failure_causes": ("FailureCause", "failure_causes"),
    "lpff_ray.tables.read": ("quarantine", "scan", "segments", "videos"),
    "lpff_ray.tables.review.state": ("review_state",),
    "lpff_ray.tables.status": ("RunStatus", "status"),
    "lpff_ray.tables.thumbnails": ("thumbnails",),
}
"""Public names by the module that has them."""
_TARGETS = {name: (module, name) for module, names in _MODULES.items() for name in names} | {
    "evaluate": ("lpff_ray.exports.evaluation.verification", "evaluate"),
    "failures": ("lpff_ray.tables.failures", "read_failures"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _TARGETS:
        raise AttributeError(f"module 'lpff_ray' has no attribute {name!r}")
    module, attribute = _TARGETS[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
