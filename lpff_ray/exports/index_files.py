"""The files that speak of a whole data set, made once its units are: the format's own, and PROVENANCE.jsonl."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from itertools import chain

from lpff_ray.exports.card.source_columns import source_card
from lpff_ray.exports.format import ExportFormat, OutputFile, Record
from lpff_ray.exports.state import DONE_FILE, Done, Note
from lpff_ray.exports.worker import STAGED
from lpff_ray.monitoring.progress import Phase
from lpff_ray.storage.folder import Folder

PROVENANCE_FILE = "PROVENANCE.jsonl"
PROVENANCE = (
    *("index", "files", "face_id", "video_id", "uri", "frame_index", "pts_ns"),
    *("transform", "transforms", "source", "tool"),
)
"""What a line of it holds, of each record, where the record has it."""


def units_size(notes: Mapping[str, Note]) -> Done:
    """How many files the units made, and their bytes."""
    files = sum(len(record["files"]) for note in notes.values() for record in note["records"])
    return Done(files, sum(note["size_bytes"] for note in notes.values()))


def make_index_files(
    folder: Folder,
    export_format: ExportFormat,
    records: list[Record],
    of_units: Done,
    complete: bool,
    shown: Callable[[Folder], Iterable[OutputFile]],
) -> Done:
    """Commit the index files; returns the size of the whole data set.

    of_units: as of `units_size`. complete: nothing will be added to the data set, so that this need not be done again.
    shown: makes what lets people see what is in it, out of the folder where the units' files are; of a name that the
    format has taken for a file of its own, nothing is made.
    """
    _sweep(folder)
    made = Folder(f"{folder.root}/{STAGED}") if export_format.packed else folder
    done = Done() if export_format.packed else of_units
    packing = Phase("packing", of_units.size_bytes >> 20, "MB") if export_format.packed else nullcontext()
    with packing as progress:
        origins = [OutputFile(PROVENANCE_FILE, _lines(records)), source_card(records)]
        for file in chain(export_format.finish(made, records), origins, shown(made)):
            if file is None or file.name in done.index:
                continue
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


def unstage(folder: Folder) -> None:
    """Remove the units' files, which have been packed."""
    if folder.filesystem.exists(f"{folder.path}/{STAGED}"):
        folder.filesystem.rm(f"{folder.path}/{STAGED}", recursive=True)


def _sweep(folder: Folder) -> None:
    """Remove what killed writers left. Only while nobody writes."""
    if folder.is_local:
        for path, _, _ in os.walk(folder.path):
            folder.sweep(path)


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
