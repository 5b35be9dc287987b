"""What every decoder is asked for and hands back: a video's table of frames, and frames by their place."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from types import TracebackType
from typing import BinaryIO, Protocol

import av
import av.container
import numpy as np
import numpy.typing as npt
from av.stream import Disposition

from lpff_ray.errors import segment_error

NS = 1_000_000_000
CONTAINERS = "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,flv,asf,ogg,ivf,mxf"  # FFmpeg's names


@dataclass(frozen=True)
class FrameTable:
    """Every frame of a video that is meant to be seen, in presentation order; row i is frame_index i.

    pts_ns: int64 [n], strictly ascending presentation times in nanoseconds.
    is_keyframe: bool [n].
    decode_order: int64 [n], place of the frame's packet among the stream's packets.
    ticks: int64 [n], presentation times in the stream's own `time_base` (seconds per tick).
    irregular: why frames can not be told apart by place or time alone, "" for a plain table: packets that an
        edit list discards, missing or repeated times, packets marked corrupt, a demuxer that gave up.
    timed: False if packets of the stream lack presentation times, and frames can only be counted from the start.
    """

    pts_ns: npt.NDArray[np.int64]
    is_keyframe: npt.NDArray[np.bool_]
    decode_order: npt.NDArray[np.int64]
    ticks: npt.NDArray[np.int64]
    time_base: Fraction
    irregular: str = ""
    timed: bool = True

    def __len__(self) -> int:
        return len(self.pts_ns)

    def keyframe_at_or_before(self, index: int) -> int:
        """The last keyframe not after `index`, where decoding for it must start; 0 if there is none."""
        keyframes = np.flatnonzero(self.is_keyframe[: index + 1])
        return int(keyframes[-1]) if len(keyframes) else 0


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    index: place in the frame table. pts_ns: presentation time in nanoseconds.
    rgb: uint8 [height, width, 3], contiguous, as a player would show it: turned, with square pixels.
    """

    index: int
    pts_ns: int
    rgb: npt.NDArray[np.uint8]


class FrameSource(Protocol):
    """Frames of one video, by index. A context manager; one thread at a time.

    decoder: "decord" | "pyav" | "photo"
    table: the video's frames
    """

    decoder: str
    table: FrameTable

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Deliver the frames at the ascending `indices`, each at most once, in order.

        A frame that can not be decoded is left out, never replaced by a neighbour. Raises SegmentError
        (stage "decode") when decoding has to end before the last of them.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> FrameSource: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Closing:
    """Makes a source with `close` a context manager."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self):  # type: ignore[no-untyped-def]  # typing.Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_indices(indices: Sequence[int], frames: int) -> list[int]:
    """The indices as a list. Raises ValueError unless they ascend strictly within [0, frames)."""
    wanted = [int(index) for index in indices]
    if any(later <= earlier for earlier, later in pairwise(wanted)):
        raise ValueError("frame indices must ascend strictly")
    if wanted and not (wanted[0] >= 0 and wanted[-1] < frames):
        raise ValueError(f"frame indices {wanted[0]}..{wanted[-1]} reach outside a video of {frames} frames")
    return wanted


def open_video(file: str | BinaryIO) -> av.container.InputContainer:
    """Open a local path or a seekable binary file with FFmpeg. Raises av.FFmpegError or OSError.

    Only true containers are tried: a text may otherwise be taken for a playlist and open other files.
    """
    name = os.path.abspath(file) if isinstance(file, str) else file  # "a:b.mp4" would be protocol "a"
    return av.open(name, "r", metadata_errors="replace", options={"format_whitelist": CONTAINERS})


def video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The stream FFmpeg thinks best to show, or None. Cover art of a sound file is not a video."""
    stream = container.streams.best("video")
    if stream is None or stream.disposition & Disposition.attached_pic:
        return None
    assert isinstance(stream, av.VideoStream)
    return stream


def codec_name(stream: av.VideoStream) -> str:
    """FFmpeg's name of the format ("av1"), not of the decoder that happens to read it ("libdav1d")."""
    return stream.codec_context.codec.canonical_name


def read_frame_table(path: str) -> FrameTable:
    """Read the frame table of a local video by demuxing its packets; nothing is decoded.

    Raises SegmentError (stage "open") if the file can not be opened or has no video stream or frames.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise segment_error("open", error, "") from None
    # Segments of one video follow each other, and demuxing reads the whole file: remember the last few.
    return _cached_table(path, status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=8)
def _cached_table(path: str, size: int, mtime_ns: int, inode: int) -> FrameTable:
    try:
        with open_video(path) as container:
            stream = video_stream(container)
            if stream is None:
                raise segment_error("open", "no video stream", "", "NoVideo")
            table = demux_table(container, stream)
    except (av.FFmpegError, OSError) as error:
        raise segment_error("open", error, "") from None
    if not len(table):
        raise segment_error("open", "the video stream has no frames", "", "NoFrames")
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
    places = np.arange(len(decoded))
    known = np.array([time is not None for time in decoded])
    if not known.any():
        return [round(place / frames_per_tick) for place in range(len(decoded))]
    times = np.array([time or 0 for time in decoded], np.float64)
    first, last = places[known][[0, -1]]
    times = np.where(known, times, np.interp(places, places[known], times[known]))
    times[:first] = times[first] - (first - places[:first]) / frames_per_tick
    times[last + 1 :] = times[last] + (places[last + 1 :] - last) / frames_per_tick
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
