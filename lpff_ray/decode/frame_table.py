"""A video's table of frames, read by demuxing its packets; decoded, too, where packets do not tell the frames' order.

Nearly always the presentation times of the packets say which frames there are and in which order they are shown. Where
they can not be trusted for that (see `_doubt`), the decoder is asked: it hands out the frames in their order, and each
carries the number of its packet.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import BinaryIO

import av
import av.container
import numpy as np
import numpy.typing as npt

from lpff_ray.decode import damage
from lpff_ray.decode.container import (
    codec_name,
    is_encrypted,
    number_of,
    open_video,
    packets_of,
    set_number,
    video_stream,
)
from lpff_ray.decode.frame_source import FrameTable
from lpff_ray.decode.frame_times import NO_TIME, Ticks, believable_rate, frame_times
from lpff_ray.errors import segment_error
from lpff_ray.types import Stage

# Decoders hand out a picture for each packet at once: no order but that of the packets.
UNORDERED = {"vp8", "vp9", "av1", "mjpeg"}
# Demuxers that cut a bare stream into packets: the two fields of a frame become two packets.
CUT_BY_PARSER = {"mpegts", "mpeg", "h264"}
PROGRESSIVE = (0, 1)  # FFmpeg's AVFieldOrder: unknown, progressive
# An MPEG-4 frame this small is a placeholder for one that was packed into the packet before.
PLACEHOLDER_BYTES = 8


@dataclass(frozen=True)
class Packets:
    """What a container says of the packets of a video stream, in the order of the file.

    pts, dts: int64 [n], NO_TIME where missing, in ticks of `time_base` seconds. is_keyframe: bool [n].
    is_shown: bool [n], False for what an edit list or the codec hides. rate: frames per second.
    damaged, irregular: see FrameTable. lost: a note if bytes could not be read, whose frames are unknown.
    doubt: why `pts` do not tell which frames there are and in which order, "" if they do.
    """

    pts: Ticks
    dts: Ticks
    is_keyframe: npt.NDArray[np.bool_]
    is_shown: npt.NDArray[np.bool_]
    time_base: Fraction
    rate: Fraction
    damaged: frozenset[int]
    irregular: str
    lost: str
    doubt: str

    def __len__(self) -> int:
        return len(self.pts)

    def table(self, order: npt.NDArray[np.int64] | None = None) -> FrameTable:
        """The table of the frames whose packets are `order`, in presentation order.

        Without an order that a decoder has told, it is taken from the times: certain if there is no `doubt`, and else
        good enough to plan with.
        """
        certain = order is None and not self.doubt
        if order is None:
            order = np.flatnonzero(self.is_shown)
            if certain:
                order = order[np.argsort(self.pts[order])]
        pts_ns, note = frame_times(order, self.pts, self.dts, self.is_keyframe, self.time_base, self.rate)
        return FrameTable(
            pts_ns=pts_ns,
            is_keyframe=self.is_keyframe[order],
            decode_order=order,
            ticks=self.pts[order],
            time_base=self.time_base,
            irregular=self.irregular or self.doubt or note,
            timed=certain,
            damaged=self.damaged,
            note="; ".join(part for part in (note, self.lost) if part),
        )


def read_frame_table(path: str) -> FrameTable:
    """Read the frame table of a local video.

    Raises SegmentError (stage "open") if the file can not be opened, is encrypted, or has no video stream or frames.
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
            packets = read_packets(container, stream)
        if packets.irregular == ENCRYPTED:
            raise segment_error(Stage.OPEN, ENCRYPTED, "", "Encrypted")
        table = packets.table(presentation_order(path, packets) if packets.doubt else None)
    except (av.FFmpegError, OSError) as error:
        raise segment_error(Stage.OPEN, error, "") from None
    if not len(table):
        raise segment_error(Stage.OPEN, "the video stream has no frames", "", "NoFrames")
    return table


ENCRYPTED = "encrypted (DRM): it can not be decoded without its key"


def read_packets(container: av.container.InputContainer, stream: av.VideoStream) -> Packets:
    """Read all packets of an opened video; the container is at its end afterwards."""
    presented: list[int] = []
    decoded: list[int] = []
    keyframes: list[bool] = []
    shown: list[bool] = []
    corrupt: list[int] = []
    reported: list[tuple[int, str, str]] = []
    encrypted = placeholders = 0
    irregular = ""
    codec = codec_name(stream)
    try:
        for packet in _heard(container, stream, reported):
            presented.append(NO_TIME if packet.pts is None else packet.pts)
            decoded.append(NO_TIME if packet.dts is None else packet.dts)
            keyframes.append(packet.is_keyframe)
            shown.append(not packet.is_discard and _shows_picture(codec, packet))
            encrypted += is_encrypted(packet)
            placeholders += codec == "mpeg4" and packet.size <= PLACEHOLDER_BYTES
            if packet.is_corrupt:
                irregular = "damaged packets"
                corrupt.append(len(presented) - 1)
    except (av.FFmpegError, OSError) as error:
        irregular = f"demuxing ended early: {error}"
    if encrypted:
        irregular = ENCRYPTED if encrypted == len(shown) else f"{encrypted} frames are encrypted (DRM)"
    elif not all(shown):
        irregular = irregular or "an edit list or hidden frames"
    failure = damage.demuxing_failure(reported, container.format.name)
    if failure:
        irregular = irregular or "damaged packets"
    pts, dts = np.array(presented, np.int64), np.array(decoded, np.int64)
    is_shown = np.array(shown, bool)
    doubt = _doubt(pts[is_shown], dts)
    if not doubt and placeholders:
        doubt = "packed frames"
    if not doubt and codec not in UNORDERED and len(pts) > 1:
        doubt = _doubt_of_codec(container, stream, codec, pts[is_shown])
    return Packets(
        pts=pts,
        dts=dts,
        is_keyframe=np.array(keyframes, bool),
        is_shown=is_shown,
        time_base=stream.time_base or Fraction(1, 1000),
        rate=believable_rate(stream.guessed_rate, stream.average_rate),
        # MPEG-TS flags the end of one file that another was joined to: a keyframe follows at once.
        damaged=frozenset(number for number in corrupt if not any(keyframes[number + 1 : number + 3])),
        irregular=irregular,
        lost=f"it is damaged, and frames may be lost ({failure})" if failure else "",
        doubt=doubt,
    )


def numbered(packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
    """Packets that hold something, each with its number among them (see `container.set_number`)."""
    number = 0
    for packet in packets:
        if packet.size:  # else it is the mark of the end
            set_number(packet, number)
            number += 1
            yield packet


def _heard(
    container: av.container.InputContainer, stream: av.VideoStream, reported: list[tuple[int, str, str]]
) -> Iterator[av.Packet]:
    """Numbered packets; what FFmpeg reports while they are read is added to `reported`."""
    packets = numbered(packets_of(container, stream))
    while True:
        with damage.reports() as heard:
            packet = next(packets, None)
        reported.extend(heard)
        if packet is None:
            return
        yield packet


def _doubt(pts: Ticks, dts: Ticks) -> str:
    """Why presentation times alone do not tell frames apart. pts: of the packets that are shown; dts: of all."""
    if (pts == NO_TIME).any():
        return "no presentation times"
    if len(np.unique(pts)) < len(pts):
        return "repeated presentation times"
    if (np.diff(dts[dts != NO_TIME]) < 0).any():
        return "times that begin anew"
    return ""


def _doubt_of_codec(
    container: av.container.InputContainer, stream: av.VideoStream, codec: str, pts: Ticks
) -> str:
    """Why a decoder may know another order, or number, of frames than the times of the packets."""
    context = stream.codec_context
    if context.has_b_frames and (np.diff(pts) > 0).all():
        return "times in the order of decoding"
    formats = set(container.format.name.split(","))
    if codec == "h264" and formats & CUT_BY_PARSER and context.field_order not in PROGRESSIVE:
        return "fields"
    return ""


def presentation_order(file: str | BinaryIO, packets: Packets) -> npt.NDArray[np.int64]:
    """Decode a video for the order of its frames: int64 [n], the number of each frame's packet.

    A packet that can not be decoded is a frame, too, which will be missing; it keeps its place in the file.
    Raises av.FFmpegError or OSError if the file can not be opened.
    """
    order: list[int] = []
    failed: list[tuple[int, int]] = []  # (place in `order`, packet)
    with open_video(file) as container:
        stream = video_stream(container)
        assert stream is not None, "its packets were read"
        stream.codec_context.thread_count = 1
        stream.codec_context.copy_opaque = True
        # Only the order counts: what makes the picture itself is left out.
        stream.codec_context.options = {"skip_loop_filter": "all", "skip_idct": "all"}
        sent = -1
        try:
            for packet in numbered(packets_of(container, stream)):
                sent += 1
                try:
                    pictures = stream.codec_context.decode(packet)
                except (av.FFmpegError, OSError):
                    failed.append((len(order), sent))
                    continue
                order.extend(_numbers(pictures))
        except (av.FFmpegError, OSError):
            pass  # the table ends where demuxing does, as `read_packets` noted
        order.extend(_numbers(_rest(stream)))
    given = set(order)
    for place, number in reversed(failed):
        if number not in given and packets.is_shown[number]:
            order.insert(place, number)
    return np.array(order, np.int64)


def _numbers(pictures: Iterable[av.VideoFrame]) -> list[int]:
    return [number for number in map(number_of, pictures) if number is not None]


def _rest(stream: av.VideoStream) -> list[av.VideoFrame]:
    """The pictures that a decoder still holds at the end."""
    try:
        return stream.codec_context.decode(None)
    except (av.FFmpegError, OSError):
        return []


def _shows_picture(codec: str, packet: av.Packet) -> bool:
    # VP8 stores its hidden alt-ref frames as packets of their own; bit 4 of a frame's first byte is
    # show_frame (RFC 6386, section 9.1). Other codecs bundle hidden frames with a shown one.
    return codec != "vp8" or bool(memoryview(packet)[0] & 0x10)
