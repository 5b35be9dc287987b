"""What a file is and how long, found from its header without decoding more than one frame."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO

import av
import av.container
from PIL import UnidentifiedImageError

from lpff_ray.decode.container import codec_name, open_video, video_stream
from lpff_ray.decode.display import IDENTITY, display_matrix, pixel_aspect, shown_size
from lpff_ray.decode.formats import looks_like_media, not_read
from lpff_ray.decode.frame_source import NS, FrameTable
from lpff_ray.decode.frame_table import demux_table
from lpff_ray.decode.pictures.animation import frame_count, read_times
from lpff_ray.decode.pictures.opening import open_photo
from lpff_ray.decode.pictures.orientation import turned_size
from lpff_ray.errors import UserError
from lpff_ray.types import MediaKind

PACKETS_TO_TRY = 100  # until one frame could be decoded


class Unreadable(Exception):
    """The file can not be mined; the message is a reason a person can act on, without the file's name."""


@dataclass(frozen=True)
class MediaInfo:
    """What a probe says of a file.

    container, codec: FFmpeg's names ("mov", "h264"), for photos Pillow's format.
    width, height: pixels as shown: after rotation metadata, and square. fps: frames per second on average.
    duration_s: seconds.
    frames_expected: frames to be shown, as the index says or as counted where there is no index.
    first_pts_ns: presentation time of the first frame, nanoseconds.
    keyframe_pts_ns: ascending times of keyframes. From an mp4's index they are exact but for open
        GOPs and for B-frames at a variable frame rate, where they may be off by a few frames: good to cut
        at, not to recognise a frame by.
    reason: what is amiss with a file that can be mined all the same, "" if nothing is.
    """

    kind: MediaKind
    container: str
    codec: str
    width: int
    height: int
    fps: float
    duration_s: float
    frames_expected: int
    first_pts_ns: int
    keyframe_pts_ns: tuple[int, ...]
    reason: str = ""


def probe(opened: str | BinaryIO, name: str) -> MediaInfo:
    """Say what a local path or a seekable binary file is; `name` (with its ending) helps to tell the kind.

    Raises Unreadable with a reason, and OSError if the bytes can not be had.
    """
    if isinstance(opened, str):
        with open(opened, "rb") as file:
            head = file.read(4096)
    else:
        opened.seek(0)
        head = opened.read(4096)
        opened.seek(0)
    if not head:
        raise Unreadable("the file is empty")
    if reason := not_read(head, name):
        raise Unreadable(reason)
    kind = looks_like_media(head, name)
    if not kind:
        raise Unreadable("neither a video nor a photo")
    return _probe_video(opened, head) if kind == MediaKind.VIDEO else _probe_picture(opened)


def _probe_picture(opened: str | BinaryIO) -> MediaInfo:
    try:
        with open_photo(opened) as image:
            width, height = turned_size(image)
            image_format = (image.format or "").lower()
            size = os.path.getsize(opened) if isinstance(opened, str) else opened.seek(0, os.SEEK_END)
            if frame_count(image, size) == 1:
                reason = ""
                if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
                    reason = f"the first of its {image.n_frames} pages is looked at"
                return MediaInfo(
                    MediaKind.PHOTO, image_format, image_format, width, height, 0.0, 0.0, 1, 0, (0,), reason
                )
            times = read_times(image, size)
    except UserError:
        raise
    except Exception as error:
        raise Unreadable(f"the photo can not be read: {_first_line(error)}") from error
    frames, duration_s = len(times) - 1, times[-1] / 1000
    return MediaInfo(
        kind=MediaKind.ANIMATION,
        container=image_format,
        codec=image_format,
        width=width,
        height=height,
        fps=frames / duration_s,
        duration_s=duration_s,
        frames_expected=frames,
        first_pts_ns=0,
        keyframe_pts_ns=(0,),
    )


def _first_line(error: Exception) -> str:
    """What an error of Pillow's says of a file; what its parsing stumbled over says nothing to a person."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, UnidentifiedImageError):
        return "damaged, or not a photo"
    return text if isinstance(error, (OSError, ValueError)) else f"damaged ({type(error).__name__}: {text})"


def _probe_video(opened: str | BinaryIO, head: bytes) -> MediaInfo:
    try:
        with open_video(opened) as container:
            stream = _stream(container)
            if "mov" in container.format.name.split(",") and len(stream.index_entries):
                return _from_index(container, stream)
            table = demux_table(container, stream)
            if not len(table):
                raise Unreadable("no video stream with frames in it")
            container_name, duration = container.format.name.split(",")[0], container.duration
        if not isinstance(opened, str):
            opened.seek(0)
        with open_video(opened) as container:
            stream = _stream(container)
            width, height = _shown_size(stream, container.demux(stream))
            codec = codec_name(stream)
    except av.FFmpegError as error:
        if head[4:8] == b"ftyp":
            raise Unreadable(
                "its index (moov) is missing or damaged: the file was cut off, fetch it again"
            ) from None
        raise Unreadable(f"not a video, or damaged at its start ({error.strerror}): fetch it again") from None
    return _from_table(table, container_name, codec, width, height, duration)


def _stream(container: av.container.InputContainer) -> av.VideoStream:
    stream = video_stream(container)
    if stream is None:
        # An mp4 without a single frame shows no stream at all.
        raise Unreadable("no video stream with frames in it")
    if stream.codec_context is None:
        raise Unreadable("its codec is unknown to this FFmpeg: convert it to H.264")
    return stream


def _from_index(container: av.container.InputContainer, stream: av.VideoStream) -> MediaInfo:
    """Read an mp4's sample table, whose times are decoding times.

    The first packet tells how far its presentation is behind its decoding; with closed GOPs and a steady
    frame rate that holds for every keyframe. Entries that an edit list hides are discarded.
    """
    entries = [entry for entry in stream.index_entries if not entry.is_discard]
    if not entries:
        raise Unreadable("no video stream with frames in it")
    cut_off = sum(entry.pos + entry.size > container.size for entry in entries)
    time_base = stream.time_base
    assert time_base is not None
    packets = container.demux(stream)
    first = next(packets)
    delay = first.pts - first.dts if first.pts is not None and first.dts is not None else 0
    times = (round((entry.timestamp + delay) * time_base * NS) for entry in entries if entry.is_keyframe)
    start = stream.start_time if stream.start_time is not None else entries[0].timestamp + delay
    duration = float(stream.duration * time_base) if stream.duration else (container.duration or 0) / 1e6
    rate = stream.average_rate
    codec = codec_name(stream)
    stream.codec_context.thread_count = 1
    width, height = _shown_size(stream, chain([first], packets))
    return MediaInfo(
        kind=MediaKind.VIDEO,
        container=container.format.name.split(",")[0],
        codec=codec,
        width=width,
        height=height,
        fps=float(rate) if rate else len(entries) / duration if duration else 0.0,
        duration_s=duration,
        frames_expected=len(entries),
        first_pts_ns=round(start * time_base * NS),
        keyframe_pts_ns=tuple(sorted(times)),
        reason=f"the file was cut off: {cut_off} of its {len(entries)} frames are not in it; fetch it again"
        if cut_off
        else "",
    )


def _from_table(
    table: FrameTable, container: str, codec: str, width: int, height: int, duration: int | None
) -> MediaInfo:
    span = (int(table.pts_ns[-1]) - int(table.pts_ns[0])) / NS
    fps = (len(table) - 1) / span if span else 0.0
    return MediaInfo(
        kind=MediaKind.VIDEO,
        container=container,
        codec=codec,
        width=width,
        height=height,
        fps=fps,
        duration_s=span + 1 / fps if fps else (duration or 0) / 1e6,
        frames_expected=len(table),
        first_pts_ns=int(table.pts_ns[0]),
        keyframe_pts_ns=tuple(int(time) for time in table.pts_ns[table.is_keyframe]),
    )


def _shown_size(stream: av.VideoStream, packets: Iterator[av.Packet]) -> tuple[int, int]:
    """(width, height) as a player shows the video; only a decoded frame knows of a rotation."""
    coded = stream.codec_context.width, stream.codec_context.height
    aspect = pixel_aspect(stream)
    for packet in islice(packets, PACKETS_TO_TRY):
        try:
            pictures = packet.decode()
        except av.FFmpegError:
            continue
        for picture in pictures:
            assert isinstance(picture, av.VideoFrame)
            return shown_size(picture.width, picture.height, aspect, display_matrix(picture))
    if not all(coded):
        raise Unreadable("its video stream has no frame that can be decoded")
    return shown_size(*coded, aspect, IDENTITY)
