"""The review logs of a run: `OUT/review/decisions-REVIEWER-SUFFIX.jsonl`, one file per writer, one line per action.

A writer makes a file of its own and only ever adds lines to it, so that several people may review one run at once, from
several machines. An action is acknowledged after its line is on the disk. Whatever ends a writer in the middle of a
line leaves a line without an end, or one that is no JSON; as nobody was told that it is kept, it counts as not written.
"""

from __future__ import annotations

import logging
import os
import re
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lpff_ray.errors import UserError
from lpff_ray.storage.folder import Folder, fsync
from lpff_ray.tables.review.actions import Action, parsed

REVIEW = "review"
PREFIX, SUFFIX = "decisions-", ".jsonl"
OBJECT_BYTES = 1 << 18
"""Of a file on an object store, which is put again, whole, with every action: then a new one is begun."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LogFileState:
    """What was read of one log file. content: its bytes, so that only a changed file is parsed again."""

    content: bytes
    actions: tuple[Action, ...]
    torn: bool


def read_logs(
    folder: Folder, known: Mapping[str, LogFileState] | None = None, without: Collection[str] = ()
) -> dict[str, LogFileState]:
    """Every log file of a run by its name in `review/`. known: what was read before; without: names to leave out.

    Raises UserError for a damaged line that is not the last of its file.
    """
    found = {}
    for name in folder.names(REVIEW, SUFFIX):
        if name in without:
            continue
        content = folder.read(f"{REVIEW}/{name}") or b""
        before = (known or {}).get(name)
        found[name] = (
            before if before is not None and before.content == content else _read(folder, name, content)
        )
    return found


def _read(folder: Folder, name: str, content: bytes) -> LogFileState:
    *lines, rest = content.split(b"\n")
    actions: list[Action] = []
    torn = bool(rest)
    for number, line in enumerate(lines, 1):
        try:
            actions.append(parsed(line))
        except ValueError as error:
            # A disk that lost its power may have the end of a line without its beginning.
            if number == len(lines) and not rest and _is_torn(line):
                torn = True
                break
            raise UserError(
                f"{folder.root}/{REVIEW}/{name}, line {number}: no action of a reviewer ({error}); restore the file "
                "from a copy, or remove that line"
            ) from None
    if torn:
        log.info("%s/%s/%s: its last line was never finished, and does not count", folder.root, REVIEW, name)
    return LogFileState(content, tuple(actions), torn)


def _is_torn(line: bytes) -> bool:
    return not (line.startswith(b"{") and line.endswith(b"}"))


class ReviewLog:
    """Adds actions to a log file of its own, which is made with the first one."""

    def __init__(self, folder: Folder, reviewer: str) -> None:
        """reviewer: a name of `checked_reviewer`."""
        self._folder, self._reviewer = folder, reviewer
        self._file: BinaryIO | None = None
        self._size = 0
        self._held = b""
        self.name = ""

    def add(self, action: Action) -> None:
        """Write an action; when this returns it outlives the process and the machine.

        Raises UserError if it can not be written. Then it does not count, and the next one begins a new file.
        """
        line = action.line()
        try:
            with self._folder.explained(self.name or REVIEW):
                if self._folder.is_local:
                    self._append(line)
                else:
                    self._put(line)
        except BaseException:
            self._abandon()
            raise

    def close(self) -> None:
        """Let go of the file. Nothing is left to be written."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, line: bytes) -> None:
        if self._file is None:
            self.name = self._new_name()
            path = Path(self._folder.path, self.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "xb", buffering=0)  # noqa: SIM115  # kept open between actions
            for folder in (path.parent, path.parent.parent):
                fsync(folder)
        written = 0
        while written < len(line):  # a raw write may take a part
            written += self._file.write(line[written:]) or 0
        os.fsync(self._file.fileno())
        self._size += len(line)

    def _put(self, line: bytes) -> None:
        if not self.name or len(self._held) > OBJECT_BYTES:
            self.name, self._held = self._new_name(), b""
        self._folder.commit(self.name, self._held + line)
        self._held += line

    def _abandon(self) -> None:
        """Take back what there is of a line that failed, as far as that works, and leave the file."""
        if self._file is not None:
            try:
                self._file.truncate(self._size)
                os.fsync(self._file.fileno())
            except OSError:
                log.warning("%s/%s: the end of a line could not be taken back", self._folder.root, self.name)
            self.close()
        self.name, self._held, self._size = "", b"", 0

    def _new_name(self) -> str:
        who = re.sub(r"[^A-Za-z0-9._-]+", "-", self._reviewer).strip(".-")[:32] or "reviewer"
        return f"{REVIEW}/{PREFIX}{who}-{uuid.uuid4().hex[:12]}{SUFFIX}"
