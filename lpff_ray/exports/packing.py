"""Zip and tar archives written front to back, so that one larger than memory can go to any storage.

The same members give the same bytes: nothing of the clock, the user or the machine is in them.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
FILE_MODE = 0o644
TAR_MODE = 0o444  # as webdataset's own writer sets it


def zip_chunks(files: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """The bytes of an uncompressed zip of `files`, (name, content) each, in their order."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.create_system, entry.external_attr = 3, FILE_MODE << 16  # Unix, whatever wrote it
            archive.writestr(entry, content)
            yield sink.take()
    yield sink.take()


def tar_chunks(files: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """The bytes of a tar archive, POSIX ustar, of `files`, (name, content) each, in their order."""
    sink = _Sink()
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files:
            entry = tarfile.TarInfo(name)  # its time, owner and group are 0
            entry.size, entry.mode = len(content), TAR_MODE
            archive.addfile(entry, io.BytesIO(content))
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """A stream that can only be written to, and emptied."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]  # archives write bytes only
        self._held += content
        return len(content)

    def take(self) -> bytes:
        """What was written since the last call."""
        taken = bytes(self._held)
        self._held.clear()
        return taken
