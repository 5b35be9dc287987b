"""What DEST keeps for a repeated run: whose export it is, which units are made, and whether all is done.

    .lpff_ray/lock                empty; locked by the process that exports
    .lpff_ray/export.json         what is exported here, and how
    .lpff_ray/units/UNIT.json     record of a finished unit; committed after the unit's files
    .lpff_ray/staged/             the units' files of a format that is packed, until it is
    .lpff_ray/done.json           the index files, and how large the whole is; committed last

A mark holds only as long as the files that it speaks of are there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lpff_ray.errors import UserError
from lpff_ray.exports.format import ExportFormat
from lpff_ray.exports.worker import STAGED, STATE, UNITS
from lpff_ray.storage.failures import explain, storage_failures
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.lock import locked

LOCK_FILE = f"{STATE}/lock"
EXPORT_FILE = f"{STATE}/export.json"
BUSY = "another export to this folder is running; wait until it ends, or give --dest another folder"
DONE_FILE = f"{STATE}/done.json"
READERS = 16  # threads that fetch the notes of units: from an object store, one by one takes minutes

Note = dict[str, Any]
"""The record of a finished unit: `lost`, `size_bytes` and its `records`."""


@dataclass
class Done:
    """A whole data set. files, size_bytes: how large it is. index: names of the files that `finish` made."""

    files: int = 0
    size_bytes: int = 0
    index: list[str] = field(default_factory=list)


@contextmanager
def claimed(folder: Folder, wanted: Mapping[str, Any]) -> Iterator[None]:
    """Mark the folder as this export's, and hold it against other processes for as long as the context lasts.

    Raises UserError if it holds anything else, or if another process exports to it.
    """
    # Reported before anything is written there, the lock included.
    if _mark(folder) is None and folder.names("", ""):
        raise UserError(f"{folder.root}: not empty, and no export of lpff-ray; give --dest a new folder")
    with locked(folder, LOCK_FILE, BUSY):
        found = _mark(folder)  # another process may have made it since
        if found is None:
            folder.commit(EXPORT_FILE, json.dumps(wanted, indent=2).encode())
        else:
            _compare(folder, found, wanted)
        yield


def _mark(folder: Folder) -> dict[str, Any] | None:
    """Whose export the folder holds, None if nobody's."""
    return _read_object(folder, EXPORT_FILE, "give --dest a new folder")


def _compare(folder: Folder, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raises UserError if what is found there is not what is wanted."""
    names = found.keys() | wanted.keys()
    if found.get("format") != wanted["format"]:
        names = {"format"}  # no two formats have the same options
    different = [
        f"{name} = {found.get(name)} there, {wanted.get(name)} now"
        for name in sorted(names)
        if found.get(name) != wanted.get(name)
    ]
    if different:
        raise UserError(
            f"{folder.root}: holds another export ({'; '.join(different)}); give --dest a new folder"
        )


def standing(
    folder: Folder, export_format: ExportFormat, units: Collection[str]
) -> tuple[dict[str, Note], Done | None]:
    """What earlier runs made and is still there: notes by unit, and the mark that all is done, None if it is not.

    units: ids of those that the data set consists of. Notes that can not be read, and notes and the mark of what has
    lost files, are removed: that is to be made again. Raises UserError if the mark is damaged.
    """
    mark = _done(folder)
    listed = (name.removesuffix(".json") for name in folder.names(UNITS, ".json"))
    notes = unit_notes(folder, [name for name in listed if name in units])
    present = _present(folder)
    lost = [name for name, note in notes.items() if not note]
    whole = mark is not None and len(notes) - len(lost) == len(units) and present.issuperset(mark.index)
    if not (whole and export_format.packed):  # once packed, the units' files are rightly gone
        folder_of_units = f"{STAGED}/" if export_format.packed else ""
        for name, note in notes.items():
            files = [file for record in note.get("records", ()) for file in record["files"]]
            if not present.issuperset(f"{folder_of_units}{file}" for file in files):
                lost.append(name)
    if mark is not None and (lost or not whole):
        folder.remove(DONE_FILE)  # before the notes: it speaks of them all
        mark = None
    for name in lost:
        folder.remove(f"{UNITS}/{name}.json")
        del notes[name]
    return notes, mark


def unit_notes(folder: Folder, names: Collection[str]) -> dict[str, Note]:
    """Records of finished units, by their id; nothing for a note that is missing or damaged."""

    def read(name: str) -> Note:
        try:
            note = json.loads(folder.read(f"{UNITS}/{name}.json") or b"{}")
        except ValueError:
            return {}
        return note if isinstance(note, dict) and note.keys() >= {"lost", "size_bytes", "records"} else {}

    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(names, pool.map(read, names), strict=True))


def _done(folder: Folder) -> Done | None:
    remedy = "remove it and run the same command again"
    found = _read_object(folder, DONE_FILE, remedy)
    try:
        return None if found is None else Done(**found)
    except TypeError:
        raise UserError(f"{folder.root}/{DONE_FILE}: damaged; {remedy}") from None


def _read_object(folder: Folder, name: str, remedy: str) -> dict[str, Any] | None:
    found = folder.json(name, remedy)
    if found is not None and not isinstance(found, dict):
        raise UserError(f"{folder.root}/{name}: damaged; {remedy}")
    return found


def _present(folder: Folder) -> set[str]:
    """Names of all files below the folder."""
    found: Iterable[str]
    if folder.is_local:  # fsspec's own walk takes the status of every file
        found = (f"{parent}/{name}" for parent, _, names in os.walk(folder.path) for name in names)
    else:
        try:
            with storage_failures(folder.root):
                folder.filesystem.invalidate_cache()
                found = folder.filesystem.find(folder.path)
        except FileNotFoundError:
            found = ()
        except OSError as error:
            raise UserError(f"{folder.root}: {explain(error, folder.root)}") from None
    return {path.removeprefix(f"{folder.path}/") for path in found}
