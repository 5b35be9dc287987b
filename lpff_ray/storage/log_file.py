"""A bounded log file in a run's folder, on a local disk or an object store."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from lpff_ray.storage.folder import Folder

MOST_BYTES = 8 << 20
FLUSH_S = 10.0
"""Seconds between two writes to an object store, which takes only whole objects."""


class LogFile:
    """Lines that are kept as they come: appended on a local disk, put again now and then on an object store.

    Once it holds `most_bytes`, further lines are only counted; the last line says how many. Threads may share one. The
    file is made with its first line.
    """

    def __init__(self, folder: Folder, name: str, most_bytes: int = MOST_BYTES) -> None:
        """name: below the folder, such as "logs/failures.jsonl"."""
        self.name = name
        self._folder, self._most = folder, most_bytes
        self._size = self._dropped = 0
        self._held: list[bytes] = []
        self._written_s = float("-inf")
        self._lock = threading.Lock()

    def append(self, line: str, now: bool = False) -> bool:
        """Add a line; returns whether there was room for it.

        now: it must be there when this returns, on an object store too. Raises UserError if it can not be written.
        """
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            if self._size + len(data) > self._most:
                self._dropped += 1
                return False
            self._size += len(data)
            self._write(data, now)
            return True

    def close(self) -> None:
        """Write what is still held back, and how many lines found no room."""
        with self._lock:
            if self._dropped:
                self._write(f'{{"dropped": {self._dropped}}}\n'.encode(), now=True)
                self._dropped = 0
            elif self._held:
                self._put()

    def _write(self, data: bytes, now: bool) -> None:
        if self._folder.is_local:
            path = Path(self._folder.path, self.name)
            with self._folder.explained(self.name):
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(path, "ab") as file:
                    file.write(data)
            return
        self._held.append(data)
        if now or time.monotonic() - self._written_s > FLUSH_S:
            self._put()

    def _put(self) -> None:
        self._folder.commit(self.name, b"".join(self._held))
        self._written_s = time.monotonic()
