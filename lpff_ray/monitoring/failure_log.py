"""The failure log: every failed attempt of a run, with its traceback, in the run's `logs/`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

from lpff_ray.errors import Failure
from lpff_ray.monitoring.events import PoolListener
from lpff_ray.monitoring.log import log_name
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.log_file import LogFile
from lpff_ray.storage.redaction import redacted_text

RETRIED, GIVEN_UP = "retried", "quarantined"


class FailureLog(PoolListener):
    """Writes one JSON object a line: time, item, uri, stage, kind, message, attempt, decoder, outcome, traceback.

    A traceback that an earlier line already has is not repeated: `same_as` is that line's number, from 0, instead.
    """

    def __init__(self, folder: Folder, name_of: Callable[[Any], str], uri_of: Callable[[Any], str]) -> None:
        """name_of, uri_of: of an item, the one that its lease holds."""
        self._file = LogFile(folder, log_name("failures", "jsonl"))
        self._name_of, self._uri_of = name_of, uri_of
        self._lines: dict[bytes, int] = {}
        self._count = 0

    @property
    def name(self) -> str:
        """The log's file below the run's folder."""
        return self._file.name

    def retried(self, lease: Any, failure: Failure, replacements: Sequence[Any]) -> None:
        self._record(lease, failure, RETRIED)

    def given_up(self, lease: Any, failure: Failure) -> None:
        self._record(lease, failure, GIVEN_UP)

    def close(self) -> None:
        """Write what is still buffered."""
        self._file.close()

    def _record(self, lease: Any, failure: Failure, outcome: str) -> None:
        digest = hashlib.sha256(failure.traceback.encode("utf-8", "backslashreplace")).digest()
        first = self._lines.get(digest, self._count)
        record = {
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "item": self._name_of(lease.item),
            "uri": self._uri_of(lease.item),
            "stage": failure.stage,
            "kind": failure.kind,
            "message": redacted_text(failure.message),
            "attempt": lease.attempt,
            "decoder": failure.decoder,
            "outcome": outcome,
            **(
                {"traceback": redacted_text(failure.traceback)}
                if first == self._count
                else {"same_as": first}
            ),
        }
        # The quarantine's row names this file: it must be there first.
        if self._file.append(json.dumps(record), now=outcome == GIVEN_UP):
            self._lines[digest] = first
            self._count += 1
