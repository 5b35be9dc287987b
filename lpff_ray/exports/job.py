"""An export from a run's selection to a data set: plan, subtract what is done, have a pool make the rest, finish."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import Any

import polars as pl

from lpff_ray.errors import UserError
from lpff_ray.exports.card.data_card import README, data_card
from lpff_ray.exports.card.sample_sheet import NAME as SHEET
from lpff_ray.exports.card.sample_sheet import sample_sheet, taken_for_data
from lpff_ray.exports.card.source_columns import check_required, source_columns, with_sources
from lpff_ray.exports.format import ExportFormat, FaceFormat, OutputFile, Record, upsampling_notes
from lpff_ray.exports.index_files import make_index_files, units_size, unstage
from lpff_ray.exports.lists.reviewed import without_rejected
from lpff_ray.exports.policy import UNIT_POLICY, unit_name, unit_uri
from lpff_ray.exports.registry import make_format
from lpff_ray.exports.state import claimed, standing, unit_notes
from lpff_ray.exports.units import ExportUnit, UnitResult, plan_units
from lpff_ray.exports.video import video_files_of
from lpff_ray.exports.worker import STATE, UnitExporter
from lpff_ray.monitoring.events import Listeners
from lpff_ray.monitoring.failure_log import FailureLog
from lpff_ray.monitoring.log import kept_in
from lpff_ray.monitoring.progress import Phase
from lpff_ray.plan.sources import expand
from lpff_ray.run.executors import AUTO, work_pool
from lpff_ray.run.lease import GivenUp, Worker
from lpff_ray.run.policy import PoolReport
from lpff_ray.run.workers import Limits
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.redaction import redacted, redacted_text
from lpff_ray.tables import curated
from lpff_ray.tables.run_folder import open_run_folder, run_record


@dataclass(frozen=True)
class ExportSummary:
    """An export, as it stands after this run.

    faces: that were to be made. made: of them, in the data set now. made_before: of these, by earlier runs.
    lost: whose frame could not be decoded. The rest was left out by the format, or its video failed.
    failures: why, by the URI of each video that could not be exported (missing, moved, damaged).
    files, size_bytes: of the data set, without what the export keeps for itself.
    seconds: of work by stage, in this run, summed over the workers.
    notes: what the format has to say of what it left out, see ExportFormat.notes.
    sheet: the file that shows samples of what was made, below dest; "" if there is none.
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
    sheet: str = ""
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
    signed: Sequence[str] = (),
    require: Sequence[str] = (),
) -> ExportSummary:
    """Make a data set of the selection `selection` of the run `out` in the folder `dest`; run again to resume.

    A repeated run makes what is not there: what was never made, and what was deleted or lost since.

    format: a name of `exports.registry.FORMATS`, its options in `options`; or a format that is made already.
    executor: "local" (threads of this process), "ray", or "auto": Ray inside a Ray job or with an address. workers:
    threads or actors, None to fit. limits: deadlines and the like. The files are the same, byte for byte, whoever made
    them and however often it was interrupted. Faces that a reviewer rejected after they were selected are left out.

    require: columns of the manifest (licence, say) that the source of every face must have a value in.
    signed: sources as for `mine`, with the passwords and signatures that no table keeps, for files that need them.

    Raises UserError if there is no such run, selection, format or option, if `dest` holds anything else than this
    export or another process exports to it, or if it can not be written; what was made until then stays.
    """
    export_format = make_format(format, options or {}) if isinstance(format, str) else format
    chosen, reviewed = without_rejected(out, curated.selection(out, selection), selection)
    rows = export_format.rows(out, chosen)
    if not len(rows):
        raise UserError(f"{out}: selection {selection!r} holds nothing to make {export_format.name} of")
    columns = source_columns(out)
    check_required(out, rows, columns, require)
    folder = Folder(dest)
    addresses = [source.uri for source in expand(signed)]
    with claimed(folder, _description(out, selection, chosen, export_format)):
        units = plan_units(export_format, rows, video_files_of(out, addresses))
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
        records = with_sources(records, columns)
        complete = len(notes) == len(units)
        if done is None:
            done = units_size(notes)
            if not report.interrupted:
                shown = functools.partial(_shown, out, selection, chosen, export_format, records)
                done = make_index_files(folder, export_format, records, done, complete, shown)
        if complete and export_format.packed and not report.interrupted:
            unstage(folder)
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
            notes=()
            if report.interrupted
            else [*reviewed, *_notes(export_format, chosen, rows, folder, records)],
            sheet=next((name for name in done.index if name.startswith(f"{SHEET}.")), ""),
            unfinished=report.unfinished,
            interrupted=report.interrupted,
        )


def _shown(
    out: str,
    selection: str,
    chosen: pl.DataFrame,
    export_format: ExportFormat,
    records: Sequence[Record],
    made: Folder,
) -> Iterator[OutputFile]:
    """What lets people see what is in a data set: a sheet of samples, and its card."""
    if not records:
        return
    labels = dict(chosen.select("face_id", pl.col("bin").fill_null("")).iter_rows())
    sheet = sample_sheet(out, made, records, labels, taken_for_data(export_format, records))
    if sheet is not None:
        yield sheet
    card = data_card(out, selection, chosen, export_format, records, sheet.name if sheet else "")
    yield OutputFile(README, card)


def _notes(
    export_format: ExportFormat,
    chosen: pl.DataFrame,
    rows: pl.DataFrame,
    folder: Folder,
    records: Sequence[Record],
) -> list[str]:
    """What the summary says of what was left out, and of crops that were enlarged."""
    notes = export_format.notes(chosen, rows, folder)
    if isinstance(export_format, FaceFormat):
        notes = [*notes, *upsampling_notes(records, export_format.max_upsampling)]
    return notes


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
        kept = FailureLog(state, unit_name, unit_uri)
        make_worker = functools.partial(make_unit_exporter, export_format, dest)
        ended = pool.map(units, make_worker, UNIT_POLICY, Listeners(progress, kept))
        with closing(ended), closing(kept):
            for end in ended:
                progress.advance(len(end.lease.item.rows))
                if isinstance(end, GivenUp):
                    failures[unit_uri(end.lease.item)] = redacted_text(end.failure.message)
                else:
                    results.append(end.result)
        return results, failures, pool.report


def make_unit_exporter(export_format: ExportFormat, dest: str, device: str) -> Worker:
    """A worker that makes units. Raises UserError if `dest` can not be opened."""
    return UnitExporter(export_format, dest)


def _description(out: str, name: str, chosen: pl.DataFrame, export_format: ExportFormat) -> dict[str, Any]:
    """What DEST must be an export of, for its files to go with those of this one."""
    run = run_record(open_run_folder(out))
    options = export_format.model_dump(mode="json")
    return {
        "format": export_format.name,
        **{name: redacted(value) if isinstance(value, str) else value for name, value in options.items()},
        "selection": name,
        "selection_sha256": hashlib.sha256(chosen.write_ndjson().encode()).hexdigest()[:16],
        "run_config_hash": run.get("config_hash", ""),
    }


def _index(record: Record) -> int:
    return int(record["index"])


def _faces(record: Record) -> int:
    return len(record["face_id"]) if isinstance(record["face_id"], list) else 1
