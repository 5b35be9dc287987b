"""The thumbnails that the page shows, kept in memory as far as that is bounded."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import polars as pl

from lpff_ray.reports.review.catalogue import Catalogue
from lpff_ray.tables.run_folder import open_run_folder
from lpff_ray.tables.thumbnails import FOLDER, SUFFIX, thumbnails

MOST_BYTES = 512 << 20


class PictureCache:
    """Thumbnails by row. there: whether the run has any."""

    def __init__(self, catalogue: Catalogue, most_bytes: int = MOST_BYTES) -> None:
        self.there = bool(open_run_folder(catalogue.out).names(FOLDER, SUFFIX))
        self._catalogue, self._most = catalogue, most_bytes
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def of(self, rows: Sequence[int]) -> list[bytes]:
        """The JPEG of every row, b"" where there is none. Those that are shown together are read together."""
        if not self.there:
            return [b""] * len(rows)
        with self._lock:
            kept = {row: self._kept[row] for row in rows if row in self._kept}
        missing = [row for row in dict.fromkeys(rows) if row not in kept]
        if missing:
            ids = [self._catalogue.face_ids[row] for row in missing]
            segments = self._catalogue.segment_ids.gather(missing).cast(pl.String)
            wanted = pl.DataFrame({"face_id": ids, "segment_id": segments})
            found = dict(thumbnails(self._catalogue.out, wanted).select("face_id", "jpeg").iter_rows())
            kept |= {row: found.get(face_id) or b"" for row, face_id in zip(missing, ids, strict=True)}
            self._keep({row: kept[row] for row in missing})
        return [kept[row] for row in rows]

    def _keep(self, pictures: dict[int, bytes]) -> None:
        with self._lock:
            for row, jpeg in pictures.items():
                self._bytes += len(jpeg) - len(self._kept.pop(row, b""))
                self._kept[row] = jpeg
            while self._bytes > self._most and self._kept:
                self._bytes -= len(self._kept.popitem(last=False)[1])
