"""MP4 files made in memory: of packets copied from a video where that is exact, of images encoded anew elsewhere."""

from __future__ import annotations

import io
from collections import deque
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from lpff_ray.decode.container import codec_name, open_video, video_stream
from lpff_ray.decode.frame_source import NS, FrameTable

TICKS = 90_000  # a second: whole numbers for 24, 25, 30, 50, 60 fps and their NTSC kin
BT709, LIMITED = 1, 1  # ITU-T H.273's matrix, primaries and transfer; FFmpeg's range
# What stands in MP4 so that common players play it.
VIDEO_CODECS = {"h264", "hevc", "mpeg4", "av1", "vp9"}
AUDIO_CODECS = {"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"}
# Containers whose packets are as MP4 wants them.
CONTAINERS = {"mov", "mp4", "matroska", "webm"}
OPTIONS = {"fflags": "+bitexact"}  # no dates: the same bytes every time
# With its macroblock tree x264 does not always give the same bytes. Evidence: docs/evidence/exports.md#same-mp4
REPEATABLE = {"x264-params": "mbtree=0"}


class Mp4Writer:
    """Encodes images into an MP4: H.264, yuv420p, BT.709, with times of their own; the same bytes every time."""

    def __init__(
        self,
        size: tuple[int, int],
        fps: float,
        crf: int,
        sound: tuple[str, int, int] | None = None,
        preset: str = "veryfast",
    ) -> None:
        """size: (width, height) of the images; an odd last column or row is left out.

        fps: an estimate, for the encoder's rate control. crf: x264's quality, 0 (best) .. 51.
        sound: (path of a video, start_ns, end_ns): copy its sound of that time.
        """
        self._file = io.BytesIO()
        self._output = av.open(self._file, "w", format="mp4", options=OPTIONS)
        stream = self._output.add_stream(
            "libx264", rate=Fraction(fps).limit_denominator(1001) or Fraction(25)
        )
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = (side // 2 * 2 for side in size)
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"crf": str(crf), "preset": preset, **REPEATABLE}
        stream.codec_context.colorspace = stream.codec_context.color_primaries = BT709
        stream.codec_context.color_trc, stream.codec_context.color_range = BT709, LIMITED
        self._stream = stream
        self._reformatter = VideoReformatter()
        self._first_ns: int | None = None
        self._sound = _Sound(self._output, *sound) if sound is not None else None

    def add(self, rgb: NDArray[np.uint8], pts_ns: int) -> None:
        """The next image, uint8 [h, w, 3] RGB, shown at `pts_ns`; the first one starts the clip."""
        if self._first_ns is None:
            self._first_ns = pts_ns
        image = np.ascontiguousarray(rgb[: self._stream.height, : self._stream.width])
        frame = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(image, format="rgb24"),
            format="yuv420p",
            dst_colorspace=BT709,
            dst_color_range=LIMITED,
            threads=1,
        )
        frame.pts, frame.time_base = round((pts_ns - self._first_ns) * TICKS / NS), Fraction(1, TICKS)
        if self._sound is not None:
            self._sound.mux_until(pts_ns)
        self._output.mux(self._stream.encode(frame))

    def close(self) -> bytes:
        """The finished file."""
        if self._sound is not None:
            self._sound.mux_until(None)
        self._output.mux(self._stream.encode())
        self._output.close()
        return self._file.getvalue()


def frame_end_ns(table: FrameTable, index: int) -> int:
    """When a frame gives way to the next one, nanoseconds."""
    pts = table.pts_ns
    if index + 1 < len(pts):
        return int(pts[index + 1])
    return int(pts[index]) + (int(np.median(np.diff(pts))) if len(pts) > 1 else NS // 25)


def mean_fps(table: FrameTable, first: int, last: int) -> float:
    """Frames per second on average from frame `first` to frame `last`, both included."""
    return (last - first + 1) * NS / (frame_end_ns(table, last) - int(table.pts_ns[first]))


def can_copy(table: FrameTable, first: int, last: int) -> bool:
    """Whether the packets of the frames first .. last, and no others, decode to exactly these frames.

    They must begin at a keyframe and follow each other in the file, with none between that belongs to a later frame (a
    B-frame just before the end refers to one) or an earlier one (an open group of pictures).
    """
    if table.irregular or not table.timed or not table.is_keyframe[first]:
        return False
    positions = table.decode_order[first : last + 1]
    return bool(positions[0] == positions.min() and positions.max() - positions.min() == last - first)


def copy_span(path: str, table: FrameTable, first: int, last: int, sound: bool) -> bytes | None:
    """The frames first .. last as an MP4 of the video's own packets; None where that can not be exact, or fails.

    sound: with the sound of that time.
    """
    if not can_copy(table, first, last):
        return None
    file = io.BytesIO()
    wanted = set(table.ticks[first : last + 1].tolist())
    try:
        with open_video(path) as source, av.open(file, "w", format="mp4", options=OPTIONS) as output:
            stream = video_stream(source)
            if stream is None or codec_name(stream) not in VIDEO_CODECS:
                return None
            if not CONTAINERS & set(source.format.name.split(",")):
                return None
            copy = output.add_stream_from_template(stream)
            span_ns = int(table.pts_ns[first]), frame_end_ns(table, last)
            audio = _Sound(output, path, *span_ns) if sound else None
            origin = int(table.ticks[first])
            source.seek(origin, stream=stream)
            for packet in source.demux(stream):
                ticks = packet.pts
                if ticks is None or ticks not in wanted or not packet.size:
                    continue
                wanted.remove(ticks)
                if audio is not None:
                    audio.mux_until(round(ticks * table.time_base * NS))
                _shift(packet, origin)
                packet.stream = copy
                output.mux(packet)
                if not wanted:
                    break
            if audio is not None:
                audio.mux_until(None)
    except (av.FFmpegError, OSError):
        return None
    return None if wanted else file.getvalue()


class _Sound:
    """The sound of a stretch of a video, copied packet by packet; nothing where there is none that fits into MP4."""

    def __init__(self, output: av.container.OutputContainer, path: str, start_ns: int, end_ns: int) -> None:
        """Sound that is damaged ends where the damage begins."""
        self._output = output
        self._packets: deque[tuple[int, av.Packet[Any]]] = deque()
        try:
            with open_video(path) as source:
                stream = source.streams.best("audio")
                if (
                    isinstance(stream, av.AudioStream)
                    and stream.codec_context.codec.canonical_name in AUDIO_CODECS
                ):
                    self._read(source, stream, start_ns, end_ns)
        except (av.FFmpegError, OSError):
            return

    def _read(
        self, source: av.container.InputContainer, stream: av.AudioStream, start_ns: int, end_ns: int
    ) -> None:
        time_base = stream.time_base
        assert time_base is not None
        origin = round(start_ns / NS / time_base)
        copy = self._output.add_stream_from_template(stream)
        source.seek(origin, stream=stream)
        for packet in source.demux(stream):
            if packet.pts is None or not packet.size:
                continue
            time_ns = round(packet.pts * time_base * NS)
            if time_ns >= end_ns:
                return
            if time_ns >= start_ns:
                _shift(packet, origin)
                packet.stream = copy
                self._packets.append((time_ns, packet))

    def mux_until(self, time_ns: int | None) -> None:
        """Write the sound up to then (None: the rest), so that sound and images are interleaved in the file."""
        while self._packets and (time_ns is None or self._packets[0][0] <= time_ns):
            self._output.mux(self._packets.popleft()[1])


def _shift(packet: av.Packet[Any], origin: int) -> None:
    packet.pts = None if packet.pts is None else packet.pts - origin
    packet.dts = None if packet.dts is None else packet.dts - origin
