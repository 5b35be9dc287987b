"""An export from a run's selection to a product: plan, subtract what is done, hand the rest to an executor, finish."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.products.exporter import STAGED, STATE, UNITS
from lpff_ray.products.product import Made, Product, Record
from lpff_ray.products.units import Receipt, Unit, plan_units
from lpff_ray.products.video import sources_of
from lpff_ray.progress import Phase
from lpff_ray.tables import curated
from lpff_ray.tables.folder import Folder
from lpff_ray.tables.run import RUN_FILE, open_run_folder

EXPORT_FILE = f"{STATE}/export.json"
DONE_FILE = f"{STATE}/done.json"
PROVENANCE_FILE = "PROVENANCE.jsonl"
PROVENANCE = ("index", "files", "face_id", "video_id", "uri", "frame_index", "pts_ns", "transform", "tool")
READERS = 16  # threads that fetch the records of units: from an object store, one by one takes minutes


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


@dataclass
class Size:
    """How large a product is."""

    files: int = 0
    size_bytes: int = 0


@dataclass(frozen=True)
class ExportSummary:
    """An export, as it stands after this run.

    faces: that were to be made. made: that are in the product, made_before: of them, by earlier runs. lost: whose frame
        could not be decoded. What is none of these was left out by the format, or its video failed.
    failures: why, by the URI of each video that could not be exported (missing, moved, damaged).
    files, size_bytes: of the product, without what the export keeps for itself.
    seconds: of work by stage, in this run, summed over the workers.
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

    executor: who does the work: None for this process, `cluster.export.ray_exporter()` for a Ray cluster. The files are
    the same, byte for byte, whoever made them and however often it was interrupted.

    Raises UserError if there is no such run or selection, if `dest` holds anything else than this export, or if it can
    not be written; what was made until then stays.
    """
    chosen = curated.selection(out, selection)
    rows = product.rows(out, chosen)
    if not len(rows):
        raise UserError(f"{out}: selection {selection!r} holds nothing to make {product.name} of")
    folder = Folder(dest)
    _claim(folder, _description(out, selection, chosen, product))
    units = plan_units(product, rows, sources_of(out))
    before = {name.removesuffix(".json") for name in folder.names(UNITS, ".json")}
    left = [unit for unit in units if unit.unit_id not in before]
    outcome = Outcome()
    if left:
        with Phase("exporting", sum(len(unit.rows) for unit in left), "faces") as progress:
            outcome = (executor or _run_local)(Job(left, product, folder.root, progress, workers))
    done = before | {receipt.unit_id for receipt in outcome.receipts if receipt.failure is None}
    notes = _unit_notes(folder, [unit.unit_id for unit in units if unit.unit_id in done])
    records = sorted(chain.from_iterable(note["records"] for note in notes.values()), key=_index)
    size = Size(
        sum(len(record["files"]) for record in records), sum(note["size_bytes"] for note in notes.values())
    )
    if not outcome.interrupted:
        size = _finish(folder, product, records, size, complete=len(notes) == len(units))
    seconds = Counter[str]()
    for receipt in outcome.receipts:
        seconds.update(receipt.seconds)
    return ExportSummary(
        dest=folder.root,
        faces=len(rows),
        made=sum(map(_faces, records)),
        made_before=sum(
            _faces(record) for name in before & notes.keys() for record in notes[name]["records"]
        ),
        lost=sum(note["lost"] for note in notes.values()),
        failures=_failures(left, outcome.receipts),
        files=size.files,
        size_bytes=size.size_bytes,
        seconds=dict(seconds),
        unfinished=outcome.unfinished,
        interrupted=outcome.interrupted,
    )


def _run_local(job: Job) -> Outcome:
    from lpff_ray.products.local import run_local

    return run_local(job)


def _description(out: str, name: str, chosen: pl.DataFrame, product: Product) -> dict[str, Any]:
    """What DEST must be an export of, for its files to go with those of this one."""
    run = json.loads(open_run_folder(out).read(RUN_FILE) or b"{}")
    return {
        "format": product.name,
        **product.model_dump(mode="json"),
        "selection": name,
        "selection_sha256": hashlib.sha256(chosen.write_ndjson().encode()).hexdigest()[:16],
        "run_config_hash": run.get("config_hash", ""),
    }


def _claim(folder: Folder, wanted: dict[str, Any]) -> None:
    """Mark the folder as this export's. Raises UserError if it holds anything else."""
    text = folder.read(EXPORT_FILE)
    if text is None:
        if folder.names("", ""):
            raise UserError(f"{folder.root}: not empty, and no export of lpff-ray; give --dest a new folder")
        folder.commit(EXPORT_FILE, json.dumps(wanted, indent=2).encode())
        return
    found = json.loads(text)
    different = [
        f"{name} = {found.get(name)} there, {wanted.get(name)} now"
        for name in found.keys() | wanted.keys()
        if found.get(name) != wanted.get(name)
    ]
    if different:
        raise UserError(
            f"{folder.root}: holds another export ({'; '.join(sorted(different))}); give --dest a new folder"
        )


def _sweep(folder: Folder) -> None:
    """Remove what killed writers left. Only while nobody writes."""
    if folder.is_local:
        for place, _, _ in os.walk(folder.path):
            folder.sweep(place)


def _unit_notes(folder: Folder, names: list[str]) -> dict[str, dict[str, Any]]:
    """What finished units have said, by their id."""

    def read(name: str) -> dict[str, Any]:
        return dict(json.loads(folder.read(f"{UNITS}/{name}.json") or b"{}"))

    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(names, pool.map(read, names), strict=True))


def _finish(folder: Folder, product: Product, records: list[Record], of_units: Size, complete: bool) -> Size:
    """Make the index files, if they are not there yet; the size of the whole product.

    complete: nothing will be added to it, so that it need not be done again, and what was staged can go.
    """
    text = folder.read(DONE_FILE)
    if text is not None:
        size = Size(**json.loads(text))
    else:
        _sweep(folder)
        made = Folder(f"{folder.root}/{STAGED}") if product.packed else folder
        size = Size() if product.packed else of_units
        packing = Phase("packing", of_units.size_bytes >> 20, "MB") if product.packed else nullcontext()
        with packing as progress:
            for file in chain(product.finish(made, records), [Made(PROVENANCE_FILE, _lines(records))]):
                size.files += 1
                if isinstance(file.content, bytes):
                    size.size_bytes += len(file.content)
                    folder.commit(file.name, file.content)
                else:
                    folder.commit(file.name, _counted(file.content, size, progress))
        if complete:
            folder.commit(DONE_FILE, json.dumps(asdict(size)).encode())
    if complete and product.packed and folder.filesystem.exists(f"{folder.path}/{STAGED}"):
        folder.filesystem.rm(f"{folder.path}/{STAGED}", recursive=True)
    return size


def _counted(chunks: Iterable[bytes], size: Size, progress: Phase | None) -> Iterator[bytes]:
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
        sources[receipt.unit_id].places[0]: receipt.failure.message
        for receipt in receipts
        if receipt.failure is not None
    }


def _index(record: Record) -> int:
    return int(record["index"])


def _faces(record: Record) -> int:
    return len(record["face_id"]) if isinstance(record["face_id"], list) else 1
