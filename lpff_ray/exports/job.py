"""An export from a run's selection to a data set: plan, subtract what is done, have a pool make the rest, finish."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import polars as pl

from lpff_ray.decode.frame_source import NS
from lpff_ray.decode.registry import last_resort
from lpff_ray.errors import Failure, UserError
from lpff_ray.exports.format import ExportFormat, OutputFile, Record
from lpff_ray.exports.registry import make_format
from lpff_ray.exports.state import DONE_FILE, Done, Note, claimed, standing, unit_notes
from lpff_ray.exports.units import ExportUnit, UnitResult, plan_units
from lpff_ray.exports.video import video_files_of
from lpff_ray.exports.worker import STAGED, STATE, UnitExporter
from lpff_ray.monitoring.events import Listeners
from lpff_ray.monitoring.failure_log import FailureLog
from lpff_ray.monitoring.log import kept_in
from lpff_ray.monitoring.progress import Phase
from lpff_ray.run.executors import AUTO, work_pool
from lpff_ray.run.lease import GivenUp, Lease, Policy, Worker
from lpff_ray.run.pool import PoolReport
from lpff_ray.run.workers import Limits
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import curated
from lpff_ray.tables.run_folder import open_run_folder, run_record
from lpff_ray.types import Stage

ATTEMPTS = 3
SECONDS_PER_ROW = 5.0
PROVENANCE_FILE = "PROVENANCE.jsonl"
PROVENANCE = (
    *("index", "files", "face_id", "video_id", "uri", "frame_index", "pts_ns"),
    *("transform", "transforms", "tool"),
)


@dataclass(frozen=True)
class ExportSummary:
    """An export, as it stands after this run.

    faces: that were to be made. made: of them, in the data set now. made_before: of these, by earlier runs.
    lost: whose frame could not be decoded. The rest was left out by the format, or its video failed.
    failures: why, by the URI of each video that could not be exported (missing, moved, damaged).
    files, size_bytes: of the data set, without what the export keeps for itself.
    seconds: of work by stage, in this run, summed over the workers.
    notes: what the format has to say of what it left out, see ExportFormat.notes.
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
    format: str | ExportFormat,
    dest: str,
    options: Mapping[str, Any] | None = None,
    *,
    executor: str = AUTO,
    address: str = "",
    workers: int | None = None,
    limits: Limits | None = None,
) -> ExportSummary:
    """Make a data set of the selection `selection` of the run `out` in the folder `dest`; run again to resume.

    A repeated run makes what is not there: what was never made, and what was deleted or lost since.

    format: a name of `exports.registry.FORMATS`, its options in `options`; or a format that is made already.
    executor: "local" (threads of this process), "ray", or "auto": Ray inside a Ray job or with an address. workers:
    threads or actors, None to fit. limits: deadlines and the like. The files are the same, byte for byte, whoever made
    them and however often it was interrupted.

    Raises UserError if there is no such run, selection, format or option, if `dest` holds anything else than this
    export or another process exports to it, or if it can not be written; what was made until then stays.
    """
    export_format = make_format(format, options or {}) if isinstance(format, str) else format
    chosen = curated.selection(out, selection)
    rows = export_format.rows(out, chosen)
    if not len(rows):
        raise UserError(f"{out}: selection {selection!r} holds nothing to make {export_format.name} of")
    folder = Folder(dest)
    with claimed(folder, _description(out, selection, chosen, export_format)):
        units = plan_units(export_format, rows, video_files_of(out))
        notes, done = standing(folder, export_format, {unit.unit_id for unit in units})
        before = sum(_faces(record) for note in notes.values() for record in note["records"])
        left = [unit for unit in units if unit.unit_id not in notes]
        report, results, failures = PoolReport(), list[UnitResult](), dict[str, str]()
        if left:
            results, failures, report = make_units(
                left,
                export_format,
                folder.root,
                executor=executor,
                address=address,
                workers=workers,
                limits=limits,
            )
        notes |= unit_notes(folder, [result.unit_id for result in results])
        records = sorted(chain.from_iterable(note["records"] for note in notes.values()), key=_index)
        complete = len(notes) == len(units)
        if done is None:
            done = _size(notes)
            if not report.interrupted:
                done = _finish(folder, export_format, records, done, complete)
        if complete and export_format.packed and not report.interrupted:
            _unstage(folder)
        seconds = Counter[str]()
        for result in results:
            seconds.update(result.seconds)
        return ExportSummary(
            dest=folder.root,
            faces=len(rows),
            made=sum(map(_faces, records)),
            made_before=before,
            lost=sum(note["lost"] for note in notes.values()),
            failures=failures,
            files=done.files,
            size_bytes=done.size_bytes,
            seconds=dict(seconds),
            notes=() if report.interrupted else export_format.notes(chosen, rows, folder),
            unfinished=report.unfinished,
            interrupted=report.interrupted,
        )


def make_units(
    units: Sequence[ExportUnit],
    export_format: ExportFormat,
    dest: str,
    *,
    executor: str = AUTO,
    address: str = "",
    workers: int | None = None,
    limits: Limits | None = None,
) -> tuple[list[UnitResult], dict[str, str], PoolReport]:
    """Have a worker pool make the units: what was made; for what could not be, the reason by URI; the pool's report.

    The tracebacks of failures are kept in DEST/.lpff_ray/logs. Raises UserError for what concerns the whole export.
    """
    results, failures = list[UnitResult](), dict[str, str]()
    state = Folder(f"{dest}/{STATE}")
    with (
        kept_in(state),
        work_pool(executor, address=address, workers=workers, device="cpu", out=dest, limits=limits) as pool,
        Phase("exporting", sum(len(unit.rows) for unit in units), "faces") as progress,
    ):
        kept = FailureLog(state, name_of, uri_of)
        make_worker = functools.partial(make_unit_exporter, export_format, dest)
        ended = pool.map(units, make_worker, POLICY, Listeners(progress, kept))
        with closing(ended), closing(kept):
            for end in ended:
                progress.advance(len(end.lease.item.rows))
                if isinstance(end, GivenUp):
                    failures[uri_of(end.lease.item)] = end.failure.message
                else:
                    results.append(end.result)
        return results, failures, pool.report


def make_unit_exporter(export_format: ExportFormat, dest: str, device: str) -> Worker:
    """A worker that makes units. Raises UserError if `dest` can not be opened."""
    return UnitExporter(export_format, dest)


def name_of(unit: ExportUnit) -> str:
    """What the pool calls a unit."""
    return unit.unit_id


def uri_of(unit: ExportUnit) -> str:
    """Where a unit's video was seen last."""
    return unit.source.uris[0]


def seconds_of(unit: ExportUnit) -> float:
    """Seconds of video from a unit's first frame to its last."""
    times = unit.rows["pts_ns"].to_numpy()
    return float(times.max() - times.min()) / NS


def extra_s(unit: ExportUnit) -> float:
    """Seconds that a unit may take beside decoding."""
    return SECONDS_PER_ROW * len(unit.rows)


def next_leases(lease: Lease[ExportUnit], failure: Failure) -> list[Lease[ExportUnit]]:
    """The lease that takes the place of one that failed; none: the unit is given up.

    A video that can not be opened or decoded would fail again: `opened_video` has tried every place and decoder. What
    stopped its worker is tried with another decoder.
    """
    if failure.stage in (Stage.OPEN, Stage.DECODE) or lease.attempt == ATTEMPTS:
        return []
    decoder = last_resort() if failure.kind in ("Timeout", "ActorDied") else lease.decoder
    return [Lease(lease.item, lease.attempt + 1, decoder)]


POLICY: Policy[ExportUnit] = Policy(
    worker="exporter",
    items="units",
    name_of=name_of,
    retry=next_leases,
    seconds_of=seconds_of,
    extra_s=extra_s,
)
"""How a pool treats units of an export."""


def _description(out: str, name: str, chosen: pl.DataFrame, export_format: ExportFormat) -> dict[str, Any]:
    """What DEST must be an export of, for its files to go with those of this one."""
    run = run_record(open_run_folder(out))
    return {
        "format": export_format.name,
        **export_format.model_dump(mode="json"),
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


def _finish(
    folder: Folder, export_format: ExportFormat, records: list[Record], of_units: Done, complete: bool
) -> Done:
    """Make the index files; returns the whole data set.

    complete: nothing will be added to it, so that it need not be done again.
    """
    _sweep(folder)
    made = Folder(f"{folder.root}/{STAGED}") if export_format.packed else folder
    done = Done() if export_format.packed else of_units
    packing = Phase("packing", of_units.size_bytes >> 20, "MB") if export_format.packed else nullcontext()
    with packing as progress:
        for file in chain(
            export_format.finish(made, records), [OutputFile(PROVENANCE_FILE, _lines(records))]
        ):
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


def _index(record: Record) -> int:
    return int(record["index"])


def _faces(record: Record) -> int:
    return len(record["face_id"]) if isinstance(record["face_id"], list) else 1
