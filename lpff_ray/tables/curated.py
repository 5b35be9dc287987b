"""The tables that are made from faces after mining: identities, duplicates, selections."""

from __future__ import annotations

import json
import re
from typing import Any

import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.run_folder import TABLES, open_run_folder, run_record

SELECTIONS = "selections"
DEDUPE_RECORD = f"{TABLES}/dedupe.json"
REBUILT_FILE = f"{TABLES}/rebuilt.parquet"


def identities(out: str) -> pl.DataFrame:
    """One row per person; columns as in `schema.IDENTITIES`. Raises UserError before `lpff-ray dedupe` has run."""
    return _deduped(out, "identities")


def dedupe_marks(out: str) -> pl.DataFrame:
    """One row per face; columns as in `schema.DEDUPE`. Raises UserError before `lpff-ray dedupe` has run."""
    return _deduped(out, "dedupe")


def video_duplicates(out: str) -> pl.DataFrame:
    """One row per near-duplicate clip; columns as in `schema.VIDEO_DUPLICATES`.

    Raises UserError before `lpff-ray dedupe` has run.
    """
    return _deduped(out, "video_duplicates")


def earlier_marks(folder: Folder) -> pl.DataFrame | None:
    """face_id and identity_id of the last `dedupe`, None before the first."""
    return folder.table(table_file("dedupe"), _remedy(folder), ["face_id", "identity_id"])


def embedding_of(folder: Folder) -> str:
    """The name of the embedding that a run's faces were measured with."""
    return str(run_record(folder).get("config", {}).get("embedding", "dlib-resnet"))


def selection(out: str, name: str) -> pl.DataFrame:
    """The rows of a selection by rank; columns as in `schema.SELECTION`.

    Raises UserError if there is none, or it is damaged.
    """
    folder = open_run_folder(out)
    remedy = f"make it again with lpff-ray select {out} --name {name} and the rules of {name}.json"
    found = folder.table(f"{SELECTIONS}/{checked_name(name)}.parquet", remedy)
    if found is None:
        have = [file.removesuffix(".parquet") for file in folder.names(SELECTIONS, ".parquet")]
        raise UserError(
            f"{out}: no selection {name!r} (there: {', '.join(have) or 'none'}); "
            f"make it with lpff-ray select {out} --preset efhq --name {name}"
        )
    return found


def selection_rules(out: str, name: str) -> dict[str, Any]:
    """The exact rules that made a selection. Raises UserError if there is none."""
    found = open_run_folder(out).json(f"{SELECTIONS}/{checked_name(name)}.json", "select again")
    if found is None:
        raise UserError(f"{out}: no selection {name!r}; make it with lpff-ray select")
    return dict(found)


def write_selection(folder: Folder, name: str, table: pl.DataFrame, rules: dict[str, Any]) -> None:
    """Write a selection, its rules first: there is never a table without them."""
    checked_name(name)
    folder.commit(f"{SELECTIONS}/{name}.json", json.dumps(rules, indent=2).encode())
    folder.commit(f"{SELECTIONS}/{name}.parquet", schema.parquet_bytes(table))


def rebuilt(out: str) -> pl.DataFrame | None:
    """What became of published faces; columns as in `schema.REBUILT`; None for a run that `rebuild` did not make.

    Raises UserError if `out` is no run, or the table is damaged.
    """
    return open_run_folder(out).table(REBUILT_FILE, "remove it and run `rebuild` again")


def checked_name(name: str) -> str:
    """A selection's name. Raises UserError unless it can name a file everywhere."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise UserError(f"selection name {name!r}: use letters, digits, dot, dash and underscore only")
    return name


def table_file(table: str) -> str:
    """The path of a curated table below the output folder."""
    return f"{TABLES}/{table}.parquet"


def _deduped(out: str, table: str) -> pl.DataFrame:
    folder = open_run_folder(out)
    found = folder.table(table_file(table), _remedy(folder))
    if found is None:
        raise UserError(f"{out}: identities and duplicates are not known yet; run lpff-ray dedupe {out}")
    return found


def _remedy(folder: Folder) -> str:
    """What to do about a damaged table of `dedupe`: dedupe reads its last tables too, so the file has to go first."""
    return f"remove it and run lpff-ray dedupe {folder.root}"
