"""The exporter: give it a lease on a unit of work, it commits the unit's files and its record, and says what it made.

The local executor calls one from a few threads, Ray's actors hold one each: there is no second code path.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from contextlib import ExitStack
from importlib import metadata
from typing import Any

import numpy as np

from lpff_ray.errors import segment_error
from lpff_ray.exports.format import ExportFormat, OutputImage, Record
from lpff_ray.exports.imaging.encoding import encode_image
from lpff_ray.exports.units import ExportUnit, UnitResult
from lpff_ray.exports.video import OpenedVideo, opened_video
from lpff_ray.run.lease import Lease
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.places import suspected_place
from lpff_ray.types import Stage

STATE = ".lpff_ray"
"""Where DEST keeps what a repeated run has to know."""
UNITS = f"{STATE}/units"
STAGED = f"{STATE}/staged"


class UnitExporter:
    """Makes units of a data set in DEST. Threads may share one."""

    def __init__(self, export_format: ExportFormat, dest: str) -> None:
        """Raises UserError if `dest` can not be opened."""
        self.export_format = export_format
        self.folder = Folder(dest)
        self.files = Folder(f"{self.folder.root}/{STAGED}") if export_format.packed else self.folder
        self.tool = _tool()

    def run(self, lease: Lease[ExportUnit]) -> UnitResult:
        """Make a unit; its record is committed last, so that one with a record is whole.

        Raises SegmentError if the video can not be read, UserError for what concerns the whole export, such as a full
        disk.
        """
        start = time.perf_counter()
        unit = lease.item
        try:
            with ExitStack() as stack:
                video = None
                if self.export_format.needs_frames:
                    video = stack.enter_context(opened_video(unit.source, lease.decoder or "auto"))
                seconds = defaultdict(float) if video is None else video.seconds
                seconds["open"] += time.perf_counter() - start
                record, files = self._make(unit, video, seconds)
        except OSError as error:  # the source was lost on the way
            place = suspected_place(unit.source.uris[0], error)
            raise segment_error(Stage.OPEN, error, lease.decoder, place=place) from error
        self.folder.commit(f"{UNITS}/{unit.unit_id}.json", json.dumps(record, default=_plain).encode())
        seconds["total"] = time.perf_counter() - start
        made, lost = len(record["records"]), record["lost"]
        return UnitResult(unit.unit_id, made, lost, files, record["size_bytes"], dict(seconds))

    def _make(
        self, unit: ExportUnit, video: OpenedVideo | None, seconds: dict[str, float]
    ) -> tuple[dict[str, Any], int]:
        """Commit a unit's files; returns its record and how many files there are."""
        records: list[Record] = []
        size = 0
        with self.files.batch() as put:
            for files, record in self.export_format.unit(video, unit.rows):
                for file in files:
                    start = time.perf_counter()
                    content = (
                        encode_image(file.pixels, file.name)
                        if isinstance(file, OutputImage)
                        else file.content
                    )
                    encoded = time.perf_counter()
                    assert isinstance(content, bytes), f"{file.name}: chunks are for `finish` alone"
                    put(file.name, content)
                    size += len(content)
                    seconds["encode"] += encoded - start
                    seconds["write"] += time.perf_counter() - encoded
                records.append({**record, "files": [file.name for file in files], "tool": self.tool})
            ended = time.perf_counter()
        seconds["write"] += time.perf_counter() - ended
        lost = 0 if video is None else int(unit.rows["frame_index"].is_in(video.lost).sum())
        return {"lost": lost, "size_bytes": size, "records": records}, sum(len(r["files"]) for r in records)


def _tool() -> str:
    try:
        return f"lpff_ray {metadata.version('lpff-ray')}"
    except metadata.PackageNotFoundError:
        return "lpff_ray, not installed"


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as JSON knows them."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"a record holds plain JSON values and NumPy's, not {type(value).__name__}")
