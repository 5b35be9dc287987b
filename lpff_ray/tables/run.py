"""The output folder of a run: its `run.json`, its parts, its compacted tables."""

from __future__ import annotations

import io
import json
from importlib import metadata
from typing import Any

import polars as pl

from lpff_ray.config import MineConfig
from lpff_ray.errors import Failure, UserError
from lpff_ray.models import store
from lpff_ray.models.cards import load_cards
from lpff_ray.plan.segment import Segment, segments
from lpff_ray.plan.video import Video
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import parts, schema
from lpff_ray.types import CropUnit

RUN_FILE = "run.json"
PLAN_FILE = "plan.parquet"
PLAN_MEND = "remove it and run `mine` again with all sources"
TABLES = "tables"
COMPACTED_FILE = f"{TABLES}/compacted.json"
# Its parts are gone: only a copy of the file, or mining, brings it back.
COMPACTED_MEND = f"restore it from a copy, or remove {TABLES}/ and run `mine` and `dedupe` again"


class Run:
    """An output folder opened for writing."""

    def __init__(self, out: str, config: MineConfig) -> None:
        """Looks at the folder, and writes nothing yet: `begin` does.

        Raises UserError if it can not be written, if an optional model's file is missing or wrong, or if the folder
        holds
        rows that were mined with another configuration or another file of a model: rows of two could not be told apart
        in one table.
        """
        self.folder = Folder(out)
        self.config = config
        self._description = _description(config)
        self.faces_schema = schema.faces(self._description["embedding_width"])
        self.folder.check_writable()
        text = self.folder.read(RUN_FILE)
        self._found = None if text is None else _parse_run_file(self.folder, text)
        if self._found is not None and self._differences() and self._holds_rows():
            raise UserError(self._differences())

    def begin(self) -> Run:
        """Write `run.json`, the first time, and return itself. A folder without rows takes on another configuration.

        So a run that could not start, for want of a GPU say, does not bind its folder to what it was asked for.
        """
        if self._found is not None and self._differences():
            self.folder.remove(PLAN_FILE)  # its segments were counted by the other configuration
            self._found = None
        if self._found is None:
            self.folder.commit(RUN_FILE, json.dumps(self._description, indent=2).encode())
            self._found = self._description
        self.folder.sweep(parts.PARTS)
        return self

    def _holds_rows(self) -> bool:
        return bool(self.folder.names(parts.PARTS, ".parquet") or compacted(self.folder)["segment_ids"])

    def _differences(self) -> str:
        """How the run found in the folder was mined otherwise than this one is to be; "" if it was not."""
        assert self._found is not None
        found, wanted = self._found["config"], self.config.model_dump(mode="json")
        different = [
            f"{name} = {found.get(name)!r} there, {wanted.get(name)!r} now"
            for name in sorted(found.keys() | wanted.keys())
            if found.get(name) != wanted.get(name)
        ]
        if different:
            return (
                f"{self.folder.root}: holds a run of another configuration ({'; '.join(different)}); "
                "use the same settings or another --out"
            )
        for card in self._description["plugins"]:
            if card not in self._found.get("plugins", []):
                return (
                    f"{self.folder.root}: was mined with another file of model {card['name']} than the one in "
                    f"{store.store_folder()}; use the same file or another --out"
                )
        return ""

    def done(self) -> set[str]:
        """Ids of the segments (or halves) that have a part or are in the compacted tables."""
        suffix = ".parquet"
        names = self.folder.names(parts.PARTS, suffix)
        return {name.removesuffix(suffix) for name in names} | set(compacted(self.folder)["segment_ids"])

    def forget_quarantined(self) -> int:
        """Forget which segments were given up, so that they are tried again. Returns how many."""
        names = self.folder.names(parts.PARTS, ".parquet")
        footers = parts.read_footers(self.folder, names)
        chosen = [name for name, footer in zip(names, footers, strict=True) if footer["kind"] == "quarantine"]
        for name in chosen:
            self.folder.remove(f"{parts.PARTS}/{name}")
        state = compacted(self.folder)
        gathered = {
            name
            for table in compacted_tables(self.folder, state, "quarantine")
            for name in table["segment_id"]
        }
        if gathered:
            del state["tables"]["quarantine"]
            state["segment_ids"] = sorted(set(state["segment_ids"]) - gathered)
            self.folder.commit(COMPACTED_FILE, json.dumps(state).encode())
        return len(chosen) + len(gathered)

    def commit_quarantine(self, segment: Segment, failure: Failure, attempts: int, log: str = "") -> None:
        """Record that a segment could not be mined. log: the file below the folder that holds the traceback."""
        record = {
            "segment_id": segment.segment_id,
            "video_id": segment.video.video_id,
            "uri": segment.video.uri,
            "stage": failure.stage,
            "kind": failure.kind,
            "message": failure.message,
            "attempts": attempts,
            "decoder": failure.decoder,
        }
        faces = schema.frame({}, self.faces_schema)
        parts.commit_part(self.folder, segment.segment_id, faces, "quarantine", record, self.config.hash())

    def commit_plan(self, videos: list[Video]) -> None:
        """Record every source of this run beside those of earlier runs into the same folder."""
        rows = []
        for video in videos:
            row = video.row()
            row["segments"] = len(segments(video, self.config.segment_seconds))
            rows.append({name: row[name] for name in schema.PLAN})
        table = schema.frame(rows, schema.PLAN)
        earlier = read_plan(self.folder)
        if earlier is not None:
            table = pl.concat([earlier, table])
        source = ["uri", "clip_id", "start_s", "end_s", "crop", "crop_unit"]
        table = table.unique(source, keep="last", maintain_order=True)
        content = io.BytesIO()
        table.write_parquet(content)
        self.folder.commit(PLAN_FILE, content.getvalue())


def read_plan(folder: Folder) -> pl.DataFrame | None:
    """The plan of a run, with the columns of `schema.PLAN`; None if there is none yet.

    Runs of older releases do not say what a crop's numbers count: there they are fractions if none exceeds 1.
    Raises UserError if it is damaged.
    """
    plan = folder.table(PLAN_FILE, PLAN_MEND)
    if plan is None or "crop_unit" in plan.columns:
        return plan
    crop = pl.col("crop")
    unit = (
        pl.when(crop.arr.max() <= 1)
        .then(pl.lit(str(CropUnit.FRACTION)))
        .otherwise(pl.lit(str(CropUnit.PIXEL)))
    )
    return plan.with_columns(pl.when(crop.is_not_null()).then(unit).alias("crop_unit")).select(
        list(schema.PLAN)
    )


def faces_schema(folder: Folder) -> pl.Schema:
    """The columns of this run's faces table: the width of its embeddings is in its `run.json`."""
    return schema.faces(run_record(folder).get("embedding_width", schema.EMBEDDING_WIDTH))


def run_record(folder: Folder) -> dict[str, Any]:
    """What `run.json` holds, nothing if there is none. Raises UserError if it is damaged, or of a newer version."""
    text = folder.read(RUN_FILE)
    return {} if text is None else _parse_run_file(folder, text)


def open_run_folder(out: str) -> Folder:
    """The folder of an existing run. Raises UserError if `out` holds none, or one of a newer version."""
    folder = Folder(out)
    text = folder.read(RUN_FILE)
    if text is None:
        raise UserError(f"{out}: no run here ({RUN_FILE} is missing); give the --out folder of a `mine` run")
    _parse_run_file(folder, text)
    return folder


def compacted(folder: Folder) -> dict[str, Any]:
    """What `compact` has gathered: file names by table, and the ids of the segments in them."""
    found = folder.json(COMPACTED_FILE, COMPACTED_MEND)
    return {"tables": {}, "segment_ids": []} if found is None else dict(found)


def compacted_tables(folder: Folder, gathered: dict[str, Any], kind: str) -> list[pl.DataFrame]:
    """The tables of one kind among what `compact` has `gathered`. Raises UserError if one is damaged."""
    tables = []
    for name in gathered["tables"].get(kind, []):
        with folder.parsing(f"{TABLES}/{name}", COMPACTED_MEND):
            tables.append(pl.read_parquet(folder.source(f"{TABLES}/{name}")))
    return tables


def _parse_run_file(folder: Folder, text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
        version = found["schema_version"]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{folder.root}/{RUN_FILE}: damaged; restore it or use another --out") from None
    if version > schema.SCHEMA_VERSION:
        raise UserError(
            f"{folder.root}: made by a newer lpff_ray (table version {version}, this release reads up to "
            f"{schema.SCHEMA_VERSION}); upgrade with pip install -U lpff-ray"
        )
    return dict(found)


def _description(config: MineConfig) -> dict[str, Any]:
    plugins = store.chosen(config)
    versions = {}
    for package in ("lpff-ray", "torch", "ai-edge-litert", "mediapipe", "decord", "av", "polars", "numpy"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = ""
    return {
        "schema_version": schema.SCHEMA_VERSION,
        "config": config.model_dump(mode="json"),
        "config_hash": config.hash(),
        "embedding_width": next((card.width for card in plugins if card.width), schema.EMBEDDING_WIDTH),
        "camera": {
            "model": "pinhole",
            "focal_px": f"{config.focal_factor} x the frame's longer side",
            "principal_point": "middle of the frame",
        },
        "versions": versions,
        "models": [
            {"name": card.name, "sha256": card.sha256, "licence": card.licence}
            for card in load_cards().values()
        ],
        "plugins": [store.describe(card) for card in plugins],
    }
