"""From a local file to its frames: `open_source` chooses the decoder."""

from __future__ import annotations

from lpff_ray.decode.decord_source import DecordSource
from lpff_ray.decode.frames import Frame, FrameSource, FrameTable, read_frame_table
from lpff_ray.decode.photo import PhotoSource
from lpff_ray.decode.pyav_source import PyavSource
from lpff_ray.errors import SegmentError

__all__ = ["Frame", "FrameSource", "FrameTable", "open_source", "read_frame_table"]


def open_source(path: str, kind: str, decoder: str = "auto", threads: int = 1) -> FrameSource:
    """Open a local video or photo.

    kind: "video" | "photo". threads: decoding threads.
    decoder: "decord", "pyav", or "auto": decord where it can be relied on (see decord_source), else PyAV. The
        choice rests on the file alone, so that it is the same for every segment. Photos have their own.
    Raises SegmentError (stage "open") if the file can not be opened with what was asked for.
    """
    if kind == "photo":
        return PhotoSource(path)
    if kind != "video":
        raise ValueError(f"kind is {kind!r}: expected 'video' or 'photo'")
    if decoder == "auto":
        try:
            return DecordSource(path, threads)
        except SegmentError:
            return PyavSource(path, threads)
    if decoder == "decord":
        return DecordSource(path, threads)
    if decoder == "pyav":
        return PyavSource(path, threads)
    raise ValueError(f"decoder is {decoder!r}: expected 'auto', 'decord' or 'pyav'")
