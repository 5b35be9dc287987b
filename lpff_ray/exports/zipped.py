"""An uncompressed zip written front to back, so that one larger than memory can go to any place."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator

LONG_AGO = (
    1980,
    1,
    1,
    0,
    0,
    0,
)  # the earliest time a zip can hold: the same content is to give the same bytes


def zip_chunks(files: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """The bytes of an uncompressed zip of `files`, (name, content) each, in their order."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # Unix, whatever wrote it
            archive.writestr(entry, content)
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """A stream that can only be written to, and emptied."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]  # ZipFile writes bytes only
        self._held += content
        return len(content)

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken
