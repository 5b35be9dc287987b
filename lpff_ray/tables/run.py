"""The output folder of a run, opened for writing: its `run.json`, its plan, its parts."""

from __future__ import annotations

import json
from importlib import metadata
from typing import Any

import polars as pl

from lpff_ray.config import MineConfig
from lpff_ray.errors import Failure, UserError
from lpff_ray.measure.registry import EMBEDDINGS, MEASURES
from lpff_ray.models import store
from lpff_ray.models.cards import load_cards
from lpff_ray.plan.content import SCHEME, content_of
from lpff_ray.plan.segment import Segment, segments
from lpff_ray.plan.video import Video
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.lock import locked
from lpff_ray.storage.redaction import redacted_text
from lpff_ray.tables import parts, schema
from lpff_ray.tables.plan_table import joined_plans
from lpff_ray.tables.run_folder import (
    BUSY,
    COMPACTED_FILE,
    LOCKS,
    PLAN_FILE,
    RUN_FILE,
    WAIT_S,
    compacted,
    compacted_tables,
    config_hash,
    parsed_run_file,
    read_plan,
    schema_of,
)
from lpff_ray.tables.thumbnails import FOLDER as THUMBNAILS
from lpff_ray.tables.thumbnails import discard_thumbnails
from lpff_ray.types import SegmentStatus, VideoStatus


class Run:
    """An output folder opened for writing."""

    def __init__(self, out: str, config: MineConfig) -> None:
        """Checks the folder. Writes nothing yet: `begin` does.

        Raises UserError if it can not be written, if an optional model's file is missing or wrong, or if the folder
        holds rows that were mined with another configuration or another file of a model: one table must not mix them.
        """
        self.folder = Folder(out)
        self.config = config
        self._description = _description(config)
        self.faces_schema = schema_of(self._description)
        self.folder.check_writable()
        text = self.folder.read(RUN_FILE)
        self._found = None if text is None else parsed_run_file(self.folder, text)
        if self._found is not None and self._differences() and self._holds_rows():
            raise UserError(self._differences())
        self._known: dict[str, parts.Part] = {}
        self._check_rows()

    def begin(self) -> Run:
        """Write `run.json`, the first time, and return itself. A folder without rows takes on another configuration.

        So a run that could not start, for example without a GPU, does not bind its folder to its configuration.
        """
        if self._found is not None and self._differences():
            self.folder.remove(PLAN_FILE)  # its segments were counted by the other configuration
            self._found = None
        if self._found is None:
            if not self._holds_rows():
                discard_thumbnails(self.folder)
            self.folder.commit(RUN_FILE, json.dumps(self._description, indent=2).encode())
            self._found = self._description
        for folder in (parts.PARTS, THUMBNAILS):
            self.folder.sweep(folder)
        return self

    @property
    def content_scheme(self) -> int:
        """How the ids of content in this folder are made, see `plan.content.content_id`."""
        return SCHEME if self._found is None else int(self._found.get("content_scheme", 1))

    def earlier_contents(self) -> dict[str, str]:
        """The content ids of the files that were planned before, by uri."""
        plan = read_plan(self.folder)
        if plan is None:
            return {}
        known = plan.filter(pl.col("status").is_in([str(VideoStatus.PLANNED), str(VideoStatus.DUPLICATE)]))
        return {uri: content_of(video_id) for uri, video_id in known.select("uri", "video_id").iter_rows()}

    def _holds_rows(self) -> bool:
        return bool(self.folder.names(parts.PARTS, ".parquet") or compacted(self.folder)["segment_ids"])

    def _check_rows(self) -> None:
        """Raises UserError if all rows are of another configuration than `run.json`, or, without one, than this one."""
        wanted = config_hash(self._found or self._description)
        gathered = compacted(self.folder)
        self._known = {part.name: part for part in self._parts(wanted)}
        hashes = {str(part.footer["config_hash"]) for part in self._known.values() if part.footer}
        if gathered["segment_ids"]:
            hashes.add(gathered.get("config_hash", wanted))
        if hashes and wanted not in hashes:
            than = f"than {RUN_FILE} says"
            if self._found is None:
                than = f"than this one, and {RUN_FILE} is missing"
            raise UserError(
                f"{self.folder.root}: its rows were mined with another configuration ({min(hashes)}, not {wanted}) "
                f"{than}; restore {RUN_FILE} from a copy, or use another --out"
            )

    def _parts(self, config_hash: str) -> list[parts.Part]:
        """The parts there are now; those that were read before are not read again."""
        names = self.folder.names(parts.PARTS, parts.SUFFIX)
        new = parts.read_parts(self.folder, [name for name in names if name not in self._known], config_hash)
        found = {part.name: part for part in new}
        return [part for name in names if (part := self._known.get(name) or found.get(name)) is not None]

    def _differences(self) -> str:
        """How the run in the folder differs in its configuration or models from this one; "" if it does not."""
        assert self._found is not None
        found, wanted = self._found["config"], self.config.as_dict()
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
        """Ids of the segments (or halves) that have a part or are in the compacted tables.

        Parts that do not count (damaged, of another segment or configuration) are moved to `damaged/`, with a warning.
        """
        found = self._parts(
            self.config.hash()
        )  # before the record of `compact`, which removes parts afterwards
        gathered = set(compacted(self.folder)["segment_ids"])
        for part in found:
            if part.wrong and part.segment_id not in gathered:
                parts.set_aside(self.folder, part)
        self._known = {}
        return {part.segment_id for part in found if not part.wrong} | gathered

    def forget_quarantined(self) -> int:
        """Forget which segments were given up, so that they are tried again. Returns how many.

        Raises UserError while another process writes the tables of the run.
        """
        with locked(self.folder, f"{LOCKS}/tables", BUSY):
            found = self._parts(self.config.hash())
            chosen = [
                part for part in found if not part.wrong and part.footer["kind"] == SegmentStatus.QUARANTINED
            ]
            for part in chosen:
                self.folder.remove(f"{parts.PARTS}/{part.name}")
            state = compacted(self.folder)
            gathered = {
                name
                for table in compacted_tables(self.folder, state, SegmentStatus.QUARANTINED)
                for name in table["segment_id"]
            }
            if gathered:
                del state["tables"][SegmentStatus.QUARANTINED]
                state["segment_ids"] = sorted(set(state["segment_ids"]) - gathered)
                state["generation"] = int(state.get("generation", 0)) + 1
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
            "message": redacted_text(failure.message),
            "attempts": attempts,
            "decoder": failure.decoder,
            "log": log or None,
        }
        faces = schema.frame({}, self.faces_schema)
        parts.commit_part(
            self.folder, segment.segment_id, faces, SegmentStatus.QUARANTINED, record, self.config.hash()
        )

    def commit_plan(self, videos: list[Video]) -> None:
        """Record every source of this run beside those of earlier runs into the same folder.

        A source that has moved is there once, at its new place.
        """
        rows = []
        for video in videos:
            row = video.row()
            row["segments"] = len(segments(video, self.config.segment_seconds))
            rows.append({name: row[name] for name in schema.PLAN})
        with locked(self.folder, f"{LOCKS}/plan", BUSY, wait_s=WAIT_S):  # another `mine` may add to it, too
            table = joined_plans(read_plan(self.folder), schema.frame(rows, schema.PLAN))
            self.folder.commit(PLAN_FILE, schema.parquet_bytes(table))


def _description(config: MineConfig) -> dict[str, Any]:
    plugins = store.chosen(config.model_names)
    extra_columns = {
        name: schema.type_name(kind)
        for measure in config.measures
        for name, kind in MEASURES.load(measure).columns.items()
    }
    versions = {}
    for package in ("lpff-ray", "torch", "ai-edge-litert", "mediapipe", "decord", "av", "polars", "numpy"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = ""
    return {
        "schema_version": schema.SCHEMA_VERSION,
        "schema_minor": schema.SCHEMA_MINOR,
        "config": config.as_dict(),
        "config_hash": config.hash(),
        "content_scheme": SCHEME,
        "embedding_width": EMBEDDINGS.load(config.embedding).width,
        "measured_columns": extra_columns,
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
