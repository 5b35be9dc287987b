"""Reads the files of a run's output folder that every reader needs: `run.json`, the plan, the record of `compact`.

It imports neither the planner nor the models: reading a table loads no decoder.
"""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.measure.columns import EMBEDDING_WIDTH
from lpff_ray.settings import hash_of
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.types import CropUnit

RUN_FILE = "run.json"
PLAN_FILE = "plan.parquet"
PLAN_REMEDY = "remove it and run `mine` again with all sources"
TABLES = "tables"
LOCKS = ".locks"
"""Where those who write lock each other out, see storage.lock."""
BUSY = "another process writes the tables of this run; wait until it ends, and run the same command again"
WAIT_S = 60.0
"""How long to wait for another process that writes a few files."""
_HELD: dict[str, tuple[type, Any]] = {
    "schema_version": (int, None),
    "config": (dict, None),
    "plugins": (list, []),
    "measured_columns": (dict, {}),
    "embedding_width": (int, EMBEDDING_WIDTH),
}
"""What `run.json` must hold, its type, and what older releases stand for that left it out (None: none did)."""
COMPACTED_FILE = f"{TABLES}/compacted.json"
# Its parts are removed: only a copy of the file, or mining, restores it.
COMPACTED_REMEDY = f"restore it from a copy, or remove {TABLES}/ and run `mine` and `dedupe` again"


def read_plan(folder: Folder) -> pl.DataFrame | None:
    """The plan of a run, with the columns of `schema.PLAN`; None if there is none yet.

    Runs of older releases have no unit of a crop: there the numbers are fractions if none exceeds 1.
    Raises UserError if it is damaged.
    """
    plan = folder.table(PLAN_FILE, PLAN_REMEDY)
    if plan is None or "crop_unit" in plan.columns:
        return None if plan is None else schema.conformed(plan, schema.PLAN)
    crop = pl.col("crop")
    unit = (
        pl.when(crop.arr.max() <= 1)
        .then(pl.lit(str(CropUnit.FRACTION)))
        .otherwise(pl.lit(str(CropUnit.PIXEL)))
    )
    with_unit = plan.with_columns(pl.when(crop.is_not_null()).then(unit).alias("crop_unit"))
    return schema.conformed(with_unit, schema.PLAN)


def schema_of(record: dict[str, Any]) -> pl.Schema:
    """The columns of the faces table of a run whose `run.json` is `record`: no model and no package is loaded."""
    extra = {name: schema.named_type(kind) for name, kind in record.get("measured_columns", {}).items()}
    return schema.faces(record.get("embedding_width", EMBEDDING_WIDTH), extra)


def run_record(folder: Folder) -> dict[str, Any]:
    """The content of `run.json`, empty if there is none. Raises UserError if it is damaged, or of a newer version."""
    text = folder.read(RUN_FILE)
    return {} if text is None else parsed_run_file(folder, text)


def open_run_folder(out: str) -> Folder:
    """The folder of an existing run. Raises UserError if `out` holds none, or one of a newer version."""
    return open_run(out)[0]


def open_run(out: str) -> tuple[Folder, dict[str, Any]]:
    """The folder of an existing run, and its `run.json`. Raises UserError as `open_run_folder` does."""
    folder = Folder(out)
    text = folder.read(RUN_FILE)
    if text is None:
        raise UserError(f"{out}: no run here ({RUN_FILE} is missing); give the --out folder of a `mine` run")
    return folder, parsed_run_file(folder, text)


def config_hash(record: dict[str, Any]) -> str:
    """The hash of the configuration that `run.json` holds: of what it says now, not of what was noted beside it."""
    return hash_of(record["config"])


def compacted(folder: Folder) -> dict[str, Any]:
    """The record of `compact`: file names by table, and the ids of the segments in them."""
    found = folder.json(COMPACTED_FILE, COMPACTED_REMEDY)
    return {"tables": {}, "segment_ids": []} if found is None else dict(found)


def compacted_tables(folder: Folder, gathered: dict[str, Any], kind: str) -> list[pl.DataFrame]:
    """The compacted tables of one kind; gathered: as `compacted` returns it. Raises UserError if one is damaged."""
    tables = []
    for name in gathered["tables"].get(kind, []):
        with folder.parsing(f"{TABLES}/{name}", COMPACTED_REMEDY):
            tables.append(pl.read_parquet(folder.source(f"{TABLES}/{name}")))
    return tables


def parsed_run_file(folder: Folder, text: bytes) -> dict[str, Any]:
    """The content of `run.json`. Raises UserError if it is damaged, or of a newer version."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    wrong = [
        name
        for name, (kind, default) in _HELD.items()
        if not isinstance(found, dict) or type(found.get(name, default)) is not kind
    ]
    if wrong:
        what = (
            f"its {wrong[0]} is missing or of another type" if isinstance(found, dict) else "no JSON object"
        )
        raise UserError(
            f"{folder.root}/{RUN_FILE}: damaged ({what}); restore it from a copy, or use another --out"
        )
    version = found["schema_version"]
    if version > schema.SCHEMA_VERSION:
        raise UserError(
            f"{folder.root}: made by a newer lpff_ray (table version {version}, this release reads up to "
            f"{schema.SCHEMA_VERSION}); upgrade with pip install -U lpff-ray"
        )
    return dict(found)
