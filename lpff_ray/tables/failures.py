"""Reads the failed attempts of a run from its logs."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from lpff_ray.monitoring.log import LOGS
from lpff_ray.storage.folder import Folder
from lpff_ray.tables.run_folder import open_run_folder

FAILURES = pl.Schema(
    {
        "time": pl.String(),
        "item": pl.String(),
        "uri": pl.String(),
        "stage": pl.String(),
        "kind": pl.String(),
        "message": pl.String(),
        "attempt": pl.Int16(),
        "decoder": pl.String(),
        "outcome": pl.String(),
        "traceback": pl.String(),
        "log": pl.String(),
    }
)
"""One row per failed attempt, in the order of time. item: the segment's id. outcome: "retried" or "quarantined".
log: the file that it is in, below the run's folder."""


def read_failures(out: str) -> pl.DataFrame:
    """Every failed attempt in the run's logs, also those before an attempt that succeeded; columns as FAILURES.

    Raises UserError if `out` holds no run.
    """
    folder = open_run_folder(out)
    names = [name for name in folder.names(LOGS, ".jsonl") if name.startswith("failures-")]
    rows = [row for name in names for row in _rows(folder, f"{LOGS}/{name}")]
    return pl.DataFrame(rows, schema=FAILURES).sort("time", maintain_order=True)


def _rows(folder: Folder, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in (folder.read(name) or b"").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue  # the last line of a driver that was killed while it wrote
        if "item" in row:
            row["traceback"] = found[row["same_as"]]["traceback"] if "same_as" in row else row["traceback"]
            found.append({key: row.get(key) for key in FAILURES} | {"log": name})
    return found
