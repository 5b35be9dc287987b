"""A worker that reads the file of a segment, as a miner does before it decodes."""

from __future__ import annotations

from pathlib import Path

from lpff_ray.decode.frame_source import NS
from lpff_ray.errors import SegmentError, segment_error
from lpff_ray.plan.segment import Segment
from lpff_ray.plan.video import Video
from lpff_ray.run.lease import Lease
from lpff_ray.run.segment_result import SegmentResult
from lpff_ray.storage.local_copy import local_copy
from lpff_ray.storage.places import of_place, suspected_place
from lpff_ray.types import Stage


class Reader:
    """Reads the whole file, and writes `out/SEGMENT_ID.done`."""

    def __init__(self, out: str, device: str) -> None:
        self._out = Path(out)

    def run(self, lease: Lease[Segment]) -> SegmentResult:
        uri = lease.item.video.uri
        try:
            with local_copy(uri) as path:
                Path(path).read_bytes()
        except SegmentError as error:
            raise of_place(error, uri) from error
        except OSError as error:
            raise segment_error(Stage.OPEN, error, "", place=suspected_place(uri, error)) from error
        (self._out / f"{lease.item.segment_id}.done").touch()
        return SegmentResult()


def file_segment(uri: str) -> Segment:
    """A segment that is a whole file, named after it."""
    name = uri.rpartition("/")[2]
    return Segment(f"{name}-00000", Video(name, uri, "video", 1, "planned", duration_s=1.0), 0, 0, NS)
