"""A video's table of frames, read by demuxing its packets: nothing is decoded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import av
import av.container
import numpy as np

from lpff_ray.decode.container import codec_name, open_video, video_stream
from lpff_ray.decode.frame_source import NS, FrameTable
from lpff_ray.errors import segment_error
from lpff_ray.types import Stage


def read_frame_table(path: str) -> FrameTable:
    """Read the frame table of a local video by demuxing its packets; nothing is decoded.

    Raises SegmentError (stage "open") if the file can not be opened or has no video stream or frames.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise segment_error(Stage.OPEN, error, "") from None
    # Segments of one video follow each other, and demuxing reads the whole file: remember the last few.
    return _cached_table(path, status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=8)
def _cached_table(path: str, size: int, mtime_ns: int, inode: int) -> FrameTable:
    try:
        with open_video(path) as container:
            stream = video_stream(container)
            if stream is None:
                raise segment_error(Stage.OPEN, "no video stream", "", "NoVideo")
            table = demux_table(container, stream)
    except (av.FFmpegError, OSError) as error:
        raise segment_error(Stage.OPEN, error, "") from None
    if not len(table):
        raise segment_error(Stage.OPEN, "the video stream has no frames", "", "NoFrames")
    return table


def demux_table(container: av.container.InputContainer, stream: av.VideoStream) -> FrameTable:
    """Read the frame table of an opened video; the container is at its end afterwards."""
    presented: list[int | None] = []
    decoded: list[int | None] = []
    keyframes: list[bool] = []
    shown: list[bool] = []
    irregular = ""
    try:
        for packet in container.demux(stream):
            if packet.size == 0:  # the end mark
                continue
            presented.append(packet.pts)
            decoded.append(packet.dts)
            keyframes.append(packet.is_keyframe)
            shown.append(not packet.is_discard and _shows_picture(stream, packet))
            if packet.is_corrupt:
                irregular = "damaged packets"
    except (av.FFmpegError, OSError) as error:
        irregular = f"demuxing ended early: {error}"
    if not all(shown):
        irregular = irregular or "an edit list or hidden frames"

    time_base = stream.time_base or Fraction(1, 1000)
    timed = True
    if any(pts is None for pts in presented):
        # A decoded frame can not be recognised by a time that is made up, only counted.
        irregular, timed = "no presentation times", False
        presented[:] = _made_up(presented, decoded, keyframes, float(time_base * (stream.guessed_rate or 25)))
    ticks = np.array(presented, np.int64)[np.array(shown, bool)] if presented else np.zeros(0, np.int64)
    order = np.flatnonzero(shown)
    ticks, first = np.unique(ticks, return_index=True)
    if len(ticks) < len(order):
        irregular = irregular or "repeated presentation times"
    order = order[first]
    nanoseconds = [round(int(tick) * time_base * NS) for tick in ticks]
    return FrameTable(
        pts_ns=np.array(nanoseconds, np.int64),
        is_keyframe=np.array(keyframes, bool)[order] if len(order) else np.zeros(0, bool),
        decode_order=order.astype(np.int64),
        ticks=ticks,
        time_base=time_base,
        irregular=irregular,
        timed=timed,
    )


def _made_up(
    presented: Sequence[int | None],
    decoded: Sequence[int | None],
    keyframes: Sequence[bool],
    frames_per_tick: float,
) -> list[int]:
    """Times for the packets of a stream of which some, or all, lack a presentation time; ticks, in decoding order.

    Presentation times are the decoding times shuffled, and later by a delay that a keyframe shows; so the decoding
    times with that delay, sorted, label the frames. A packet without a decoding time lies evenly between others that
    have one, or a frame's duration after the last (before the first) of them. If none has, they count from 0.
    """
    positions = np.arange(len(decoded))
    known = np.array([time is not None for time in decoded])
    if not known.any():
        return [round(position / frames_per_tick) for position in range(len(decoded))]
    times = np.array([time or 0 for time in decoded], np.float64)
    first, last = positions[known][[0, -1]]
    times = np.where(known, times, np.interp(positions, positions[known], times[known]))
    times[:first] = times[first] - (first - positions[:first]) / frames_per_tick
    times[last + 1 :] = times[last] + (positions[last + 1 :] - last) / frames_per_tick
    delays = [
        pts - dts
        for pts, dts, is_keyframe in zip(presented, decoded, keyframes, strict=True)
        if is_keyframe and pts is not None and dts is not None
    ]
    return [round(time) for time in times + (np.median(delays) if delays else 0)]


def _shows_picture(stream: av.VideoStream, packet: av.Packet) -> bool:
    # VP8 stores its hidden alt-ref frames as packets of their own; bit 4 of a frame's first byte is
    # show_frame (RFC 6386, section 9.1). Other codecs bundle hidden frames with a shown one.
    return codec_name(stream) != "vp8" or bool(memoryview(packet)[0] & 0x10)
