"""An export from a run's selection to a product: plan, subtract what is done, hand the rest to an executor, finish."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.exports.format import Made, Product, Record
from lpff_ray.exports.state import DONE_FILE, Done, Note, claimed, standing, unit_notes
from lpff_ray.exports.units import Receipt, Unit, plan_units
from lpff_ray.exports.video import video_files_of
from lpff_ray.exports.worker import STAGED
from lpff_ray.monitoring.progress import Phase
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import curated
from lpff_ray.tables.run import open_run_folder, run_record

PROVENANCE_FILE = "PROVENANCE.jsonl"
PROVENANCE = (
    *("index", "files", "face_id", "video_id", "uri", "frame_index", "pts_ns"),
    *("transform", "transforms", "tool"),
)


@dataclass
class Outcome:
    """What an executor did. receipts: of all units that it brought to an end. unfinished: units left."""

    receipts: list[Receipt] = field(default_factory=list)
    unfinished: int = 0
    interrupted: bool = False


@dataclass(frozen=True)
class Job:
    """What an executor is given.

    workers: threads (local) or actors (Ray), None to fit the machine or cluster.
    """

    units: Sequence[Unit]
    product: Product
    dest: str
    progress: Phase
    workers: int | None = None


Executor = Callable[[Job], Outcome]


@dataclass(frozen=True)
class ExportSummary:
    """An export, as it stands after this run.

    faces: that were to be made. made: that are in the product, made_before: of them, by earlier runs. lost: whose frame
        could not be decoded. What is none of these was left out by the format, or its video failed.
    failures: why, by the URI of each video that could not be exported (missing, moved, damaged).
    files, size_bytes: of the product, without what the export keeps for itself.
    seconds: of work by stage, in this run, summed over the workers.
    notes: what the format has to say of what it left out, see Product.notes.
    unfinished: units of work that an interrupted run left; its index files are not made yet.
    """

    dest: str
    faces: int
    made: int
    made_before: int
    lost: int
    failures: dict[str, str]
    files: int
    size_bytes: int
    seconds: dict[str, float]
    notes: Sequence[str] = ()
    unfinished: int = 0
    interrupted: bool = False


def export(
    out: str,
    selection: str,
    product: Product,
    dest: str,
    *,
    executor: Executor | None = None,
    workers: int | None = None,
) -> ExportSummary:
    """Make a product of the selection `selection` of the run `out` in the folder `dest`; run again to resume.

    A repeated run makes what is not there: what was never made, and what was deleted or lost since.

    executor: who does the work: None for this process, `cluster.export.ray_exporter()` for a Ray cluster. The files are
    the same, byte for byte, whoever made them and however often it was interrupted.

    Raises UserError if there is no such run or selection, if `dest` holds anything else than this export or another
    process exports to it, or if it can not be written; what was made until then stays.
    """
    chosen = curated.selection(out, selection)
    rows = product.rows(out, chosen)
    if not len(rows):
        raise UserError(f"{out}: selection {selection!r} holds nothing to make {product.name} of")
    folder = Folder(dest)
    with claimed(folder, _description(out, selection, chosen, product)):
        units = plan_units(product, rows, video_files_of(out))
        notes, done = standing(folder, product, {unit.unit_id for unit in units})
        before = sum(_faces(record) for note in notes.values() for record in note["records"])
        left = [unit for unit in units if unit.unit_id not in notes]
        outcome = Outcome()
        if left:
            with Phase("exporting", sum(len(unit.rows) for unit in left), "faces") as progress:
                outcome = (executor or _run_local)(Job(left, product, folder.root, progress, workers))
        notes |= unit_notes(
            folder, [receipt.unit_id for receipt in outcome.receipts if receipt.failure is None]
        )
        records = sorted(chain.from_iterable(note["records"] for note in notes.values()), key=_index)
        complete = len(notes) == len(units)
        if done is None:
            done = _size(notes)
            if not outcome.interrupted:
                done = _finish(folder, product, records, done, complete)
        if complete and product.packed and not outcome.interrupted:
            _unstage(folder)
        seconds = Counter[str]()
        for receipt in outcome.receipts:
            seconds.update(receipt.seconds)
        return ExportSummary(
            dest=folder.root,
            faces=len(rows),
            made=sum(map(_faces, records)),
            made_before=before,
            lost=sum(note["lost"] for note in notes.values()),
            failures=_failures(left, outcome.receipts),
            files=done.files,
            size_bytes=done.size_bytes,
            seconds=dict(seconds),
            notes=() if outcome.interrupted else product.notes(chosen, rows, folder),
            unfinished=outcome.unfinished,
            interrupted=outcome.interrupted,
        )


def _run_local(job: Job) -> Outcome:
    from lpff_ray.exports.local import run_local

    return run_local(job)


def _description(out: str, name: str, chosen: pl.DataFrame, product: Product) -> dict[str, Any]:
    """What DEST must be an export of, for its files to go with those of this one."""
    run = run_record(open_run_folder(out))
    return {
        "format": product.name,
        **product.model_dump(mode="json"),
        "selection": name,
        "selection_sha256": hashlib.sha256(chosen.write_ndjson().encode()).hexdigest()[:16],
        "run_config_hash": run.get("config_hash", ""),
    }


def _sweep(folder: Folder) -> None:
    """Remove what killed writers left. Only while nobody writes."""
    if folder.is_local:
        for place, _, _ in os.walk(folder.path):
            folder.sweep(place)


def _size(notes: Mapping[str, Note]) -> Done:
    """What the units' files come to."""
    files = sum(len(record["files"]) for note in notes.values() for record in note["records"])
    return Done(files, sum(note["size_bytes"] for note in notes.values()))


def _finish(folder: Folder, product: Product, records: list[Record], of_units: Done, complete: bool) -> Done:
    """Make the index files; returns the whole product.

    complete: nothing will be added to it, so that it need not be done again.
    """
    _sweep(folder)
    made = Folder(f"{folder.root}/{STAGED}") if product.packed else folder
    done = Done() if product.packed else of_units
    packing = Phase("packing", of_units.size_bytes >> 20, "MB") if product.packed else nullcontext()
    with packing as progress:
        for file in chain(product.finish(made, records), [Made(PROVENANCE_FILE, _lines(records))]):
            done.files += 1
            done.index.append(file.name)
            if isinstance(file.content, bytes):
                done.size_bytes += len(file.content)
                folder.commit(file.name, file.content)
            else:
                folder.commit(file.name, _counted(file.content, done, progress))
    if complete:
        folder.commit(DONE_FILE, json.dumps(asdict(done)).encode())
    return done


def _unstage(folder: Folder) -> None:
    """Remove the units' files, which have been packed."""
    if folder.filesystem.exists(f"{folder.path}/{STAGED}"):
        folder.filesystem.rm(f"{folder.path}/{STAGED}", recursive=True)


def _counted(chunks: Iterable[bytes], size: Done, progress: Phase | None) -> Iterator[bytes]:
    for chunk in chunks:
        before = size.size_bytes >> 20
        size.size_bytes += len(chunk)
        if progress is not None:
            progress.advance((size.size_bytes >> 20) - before)
        yield chunk


def _lines(records: list[Record]) -> Iterator[bytes]:
    for record in records:
        line = {name: record[name] for name in PROVENANCE if name in record}
        yield json.dumps(line).encode() + b"\n"


def _failures(units: list[Unit], receipts: list[Receipt]) -> dict[str, str]:
    sources = {unit.unit_id: unit.source for unit in units}
    return {
        sources[receipt.unit_id].uris[0]: receipt.failure.message
        for receipt in receipts
        if receipt.failure is not None
    }


def _index(record: Record) -> int:
    return int(record["index"])


def _faces(record: Record) -> int:
    return len(record["face_id"]) if isinstance(record["face_id"], list) else 1
