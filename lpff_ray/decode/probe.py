"""What a file is and how long, found from its header and its packets.

One frame is decoded for its size. All of a video is decoded only where its packets do not tell how many frames it has
(see `frame_table`), and only if that is quick.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO

import av
import av.container
import numpy as np
from PIL import UnidentifiedImageError

from lpff_ray.decode.container import (
    codec_name,
    is_encrypted,
    is_fragmented,
    open_video,
    packets_of,
    video_stream,
    video_streams,
)
from lpff_ray.decode.display import IDENTITY, display_matrix, pixel_aspect, shown_size
from lpff_ray.decode.formats import looks_like_media, not_read
from lpff_ray.decode.frame_source import NS
from lpff_ray.decode.frame_table import ENCRYPTED, presentation_order, read_packets
from lpff_ray.decode.frame_times import believable_rate, jump, nanoseconds, plausible, timeline
from lpff_ray.decode.pictures.animation import frame_count, read_times
from lpff_ray.decode.pictures.opening import open_photo
from lpff_ray.decode.pictures.orientation import turned_size
from lpff_ray.errors import UserError
from lpff_ray.types import MediaKind

PACKETS_TO_TRY = 100  # until one frame could be decoded
MOST_PIXELS_DECODED = 1_000_000_000  # of all frames together: about three seconds


class Unreadable(Exception):
    """The file can not be mined; the message is a reason a person can act on, without the file's name."""


@dataclass(frozen=True)
class MediaInfo:
    """What a probe says of a file.

    container, codec: FFmpeg's names ("mov", "h264"), for photos Pillow's format.
    width, height: pixels as shown: after rotation metadata, and square. fps: frames per second, but for gaps.
    duration_s: seconds from the first frame to the end of the last one, by the times of frames that are there.
    frames_expected: frames to be shown, as the index says or as counted where there is no index.
    first_pts_ns: presentation time of the first frame, nanoseconds.
    keyframe_pts_ns: ascending times of keyframes. From an mp4's index they are exact but for open
        GOPs and for B-frames at a variable frame rate, where they may be off by a few frames: good to cut
        at, not to recognise a frame by.
    gaps_ns: where no frame begins for long: times of the frame before and the frame after.
    is_counted: whether all of it has to be decoded to tell its frames; see `frame_table`.
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
    gaps_ns: tuple[tuple[int, int], ...] = ()
    is_counted: bool = False
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
            frames, reason, duration_s = frame_count(image, size), "", 0.0
            if frames > 1:
                duration_s = read_times(image, size)[-1] / 1000
            elif image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
                reason = f"the first of its {image.n_frames} pages is looked at"
    except UserError:
        raise
    except Exception as error:
        raise Unreadable(f"the photo can not be read: {_first_line(error)}") from error
    return MediaInfo(
        kind=MediaKind.ANIMATION if frames > 1 else MediaKind.PHOTO,
        container=image_format,
        codec=image_format,
        width=width,
        height=height,
        fps=frames / duration_s if duration_s else 0.0,
        duration_s=duration_s,
        frames_expected=frames,
        first_pts_ns=0,
        keyframe_pts_ns=(0,),
        reason=reason,
    )


def _first_line(error: Exception) -> str:
    """What an error of Pillow's says of a file; what its parsing stumbled over says nothing to a person."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, UnidentifiedImageError):
        return "damaged, or not a photo"
    return text if isinstance(error, (OSError, ValueError)) else f"damaged ({type(error).__name__}: {text})"


def _probe_video(opened: str | BinaryIO, head: bytes) -> MediaInfo:
    # Before FFmpeg reads the same file object, and expects to find it where it left it.
    in_fragments = head[4:8] in (b"ftyp", b"styp", b"moov") and is_fragmented(opened)
    try:
        with _reopened(opened) as container:
            stream = _stream(container)
            is_mov = "mov" in container.format.name.split(",")
            if is_mov and len(stream.index_entries) and not in_fragments:
                info = _from_index(container, stream)
                if info is not None:
                    return info
        with _reopened(opened) as container:
            stream = _stream(container)
            packets = read_packets(container, stream)
            if packets.irregular == ENCRYPTED:
                raise Unreadable(ENCRYPTED)
            container_name, others = container.format.name.split(",")[0], _other_streams(container)
        with _reopened(opened) as container:
            stream = _stream(container)
            width, height = _shown_size(stream, packets_of(container, stream))
            codec = codec_name(stream)
        order = None
        if packets.doubt and len(packets) * width * height <= MOST_PIXELS_DECODED:
            order = presentation_order(_rewound(opened), packets)
    except av.FFmpegError as error:
        if head[4:8] == b"ftyp":
            raise Unreadable(
                "its index (moov) is missing or damaged: the file was cut off, fetch it again"
            ) from None
        raise Unreadable(f"not a video, or damaged at its start ({error.strerror}): fetch it again") from None
    table = packets.table(order)
    if not len(table):
        raise Unreadable("no video stream with frames in it")
    return MediaInfo(
        kind=MediaKind.VIDEO,
        container=container_name,
        codec=codec,
        width=width,
        height=height,
        **timeline(table.pts_ns, table.is_keyframe, float(packets.rate)),
        is_counted=bool(packets.doubt),
        reason="; ".join(part for part in (table.note, jump(table.pts_ns), others) if part),
    )


def _rewound(opened: str | BinaryIO) -> str | BinaryIO:
    if not isinstance(opened, str):
        opened.seek(0)
    return opened


def _reopened(opened: str | BinaryIO) -> av.container.InputContainer:
    return open_video(_rewound(opened))


def _other_streams(container: av.container.InputContainer) -> str:
    """A note if there is more than one video in the file."""
    streams = len(video_streams(container))
    return f"it holds {streams} videos: only the one that players show is looked at" if streams > 1 else ""


def _stream(container: av.container.InputContainer) -> av.VideoStream:
    stream = video_stream(container)
    if stream is None:
        # An mp4 without a single frame shows no stream at all.
        raise Unreadable("no video stream with frames in it")
    if stream.codec_context is None:
        raise Unreadable("its codec is unknown to this FFmpeg: convert it to H.264")
    return stream


def _from_index(container: av.container.InputContainer, stream: av.VideoStream) -> MediaInfo | None:
    """Read an mp4's sample table, whose times are decoding times. None if they do not tell what frames there are.

    The first packet tells how far its presentation is behind its decoding; with closed GOPs and a steady
    frame rate that holds for every keyframe. Entries that an edit list hides are discarded.
    """
    entries = [entry for entry in stream.index_entries if entry.size and not entry.is_discard]
    if not entries:
        raise Unreadable("no video stream with frames in it")
    cut_off = sum(entry.pos + entry.size > container.size for entry in entries)
    time_base = stream.time_base
    assert time_base is not None
    packets = packets_of(container, stream)
    first = next(packets)
    if is_encrypted(first) or first.pts is None or first.dts is None:
        return None
    if stream.codec_context.has_b_frames and first.pts == first.dts:
        return None
    delay = first.pts - first.dts
    times = nanoseconds(np.array([entry.timestamp + delay for entry in entries], np.int64), time_base)
    if times is None or (np.diff(times) <= 0).any() or not plausible(times):
        return None
    frames = timeline(
        times,
        np.array([entry.is_keyframe for entry in entries], bool),
        float(believable_rate(stream.average_rate)),
    )
    # Exact where the delay of the first packet is not that of the frame shown first.
    if stream.start_time is not None:
        start_ns = round(stream.start_time * time_base * NS)
        if abs(start_ns - frames["first_pts_ns"]) > NS:
            return None
        frames["first_pts_ns"] = start_ns
    codec, others = codec_name(stream), _other_streams(container)
    stream.codec_context.thread_count = 1
    width, height = _shown_size(stream, chain([first], packets))
    lost = f"the file was cut off: {cut_off} of its {len(entries)} frames are not in it; fetch it again"
    return MediaInfo(
        kind=MediaKind.VIDEO,
        container=container.format.name.split(",")[0],
        codec=codec,
        width=width,
        height=height,
        **frames,
        reason="; ".join(part for part in (lost if cut_off else "", others) if part),
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
