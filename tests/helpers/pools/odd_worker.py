"""A worker that misbehaves on request: what it does with a segment is written in the video's `uri`."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

from lpff_ray.decode.frame_source import NS
from lpff_ray.errors import Failure, SegmentError, UserError
from lpff_ray.plan.segment import Segment
from lpff_ray.plan.video import Video
from lpff_ray.run.lease import Lease
from lpff_ray.run.segment_result import SegmentResult


class OddWorker:
    """Writes a line to `out/log` as each lease begins: segment_id attempt decoder pid; and a file when it is done.

    uri: "ok", "sleep:SECONDS", "hang" and "hang-first" (on attempt 1), both holding the GIL, "exit", "exit-first",
    "segfault", "balloon" (takes 4 GB), "raise" and "raise-first", "decord-fails", "fails-anew", "user-error", "breaks"
    (breaks the worker for good), and "breaks-first" (only where `out/broken` is not there yet).
    """

    def __init__(self, out: str, device: str) -> None:
        self._out = Path(out)
        self._broken = False

    def check(self) -> None:
        if self._broken:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    def run(self, lease: Lease[Segment]) -> SegmentResult:
        segment = lease.item
        line = f"{segment.segment_id} {lease.attempt} {lease.decoder or 'auto'} {os.getpid()}\n"
        with (self._out / "log").open("a") as log:
            log.write(line)
        deed, _, detail = segment.video.uri.partition(":")
        first = lease.attempt == 1
        if deed == "sleep":
            time.sleep(float(detail))
        elif deed == "hang" or (deed == "hang-first" and first):
            time.sleep(0.3)  # let the neighbour begin
            ctypes.PyDLL(None).sleep(1000)  # PyDLL keeps the GIL, as a decoder in trouble does
        elif deed == "exit" or (deed == "exit-first" and first):
            time.sleep(0.2)  # let the neighbour begin
            os._exit(3)
        elif deed == "balloon":
            held = []
            while len(held) < 200:
                held.append(bytearray(os.urandom(1024) * 20_480))  # 20 MB
        elif deed == "segfault":
            ctypes.string_at(0)
        elif deed == "raise" or (deed == "raise-first" and first):
            raise ZeroDivisionError("a bug in the worker")
        elif self._broken or deed == "breaks" or (deed == "breaks-first" and self._breaks_now()):
            self._broken = True
            raise RuntimeError("CUDA error: device-side assert triggered")
        elif deed == "user-error":
            raise UserError("/mnt/full: no space left on device")
        elif deed == "decord-fails" and lease.decoder != "pyav":
            raise SegmentError(Failure("decode", "DECORDError", "bad packet", "decord"))
        elif deed == "fails-anew":  # each attempt otherwise
            raise SegmentError(Failure("decode", f"Attempt{lease.attempt}", "no", lease.decoder or "pyav"))
        (self._out / f"{segment.segment_id}.done").touch()
        return SegmentResult(faces=2, frames_looked_at=10)

    def _breaks_now(self) -> bool:
        try:
            (self._out / "broken").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class Unmakeable:
    """A worker that can not be made."""

    def __init__(self, error: Exception, device: str) -> None:
        raise error


def segment(name: str, uri: str, kind: str = "video", seconds: float = 10.0) -> Segment:
    """A segment that spans its whole video."""
    video = Video(name, uri, kind, 1, "planned", duration_s=seconds if kind == "video" else 0.0)
    end = round(seconds * NS) if kind == "video" else None
    return Segment(f"{name}-00000", video, 0, 0 if kind == "video" else None, end)
