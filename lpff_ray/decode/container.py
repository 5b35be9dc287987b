"""Video files opened with FFmpeg, by way of PyAV."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

import av
import av.container
from av.stream import Disposition

# FFmpeg's names of the demuxers that may be tried.
DEMUXERS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,flv,asf,ogg,ivf,mxf,dv,yuv4mpegpipe,rm,nut,obu"
)


def open_video(file: str | BinaryIO) -> av.container.InputContainer:
    """Open a local path or a seekable binary file with FFmpeg. Raises av.FFmpegError or OSError.

    Only true containers are tried: a text may otherwise be taken for a playlist and open other files.
    """
    name = os.path.abspath(file) if isinstance(file, str) else file  # "a:b.mp4" would be protocol "a"
    return av.open(name, "r", metadata_errors="replace", options={"format_whitelist": DEMUXERS})


def video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The stream FFmpeg thinks best to show, or None. Cover art of a sound file is not a video."""
    stream = container.streams.best("video")
    if stream is None or stream.disposition & Disposition.attached_pic:
        return None
    assert isinstance(stream, av.VideoStream)
    return stream


def video_streams(container: av.container.InputContainer) -> list[av.VideoStream]:
    """All videos of a file that are more than cover art."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def is_fragmented(file: str | BinaryIO) -> bool:
    """Whether an MP4 file goes on in fragments (boxes `moof`, ISO 14496-12), which its index does not list.

    Reads the headers of the boxes up to the first fragment, and leaves a file object where they end.
    """
    if isinstance(file, str):
        with open(file, "rb") as opened:
            return is_fragmented(opened)
    at = 0
    while True:
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            return False
        size, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if kind == b"moof":
            return True
        if size == 1:  # a 64-bit size follows
            size = int.from_bytes(header[8:16], "big")
        if size < 8:  # to the end of the file, or damaged
            return False
        at += size


def codec_name(stream: av.VideoStream) -> str:
    """FFmpeg's name of the format ("av1"), not of the decoder that happens to read it ("libdav1d")."""
    return stream.codec_context.codec.canonical_name


def packets_of(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet]:
    """The packets of a stream in the order of the file, from where the container stands; the last one is the end mark.

    Raises av.FFmpegError or OSError where reading fails.
    """
    try:
        for packet in container.demux(stream):
            if packet.stream_index == stream.index:
                yield packet
    except IndexError:
        # MPEG-TS may begin another stream on the way: PyAV stumbles over it at the end, when all packets were read.
        return


def set_number(packet: av.Packet, number: int) -> None:
    """Give a packet a number, which the pictures that are decoded from it carry, too.

    For a codec context with `copy_opaque`. PyAV finds the object again by its address, so every packet needs one of its
    own: Python shares small integers.
    """
    packet.opaque = [number]


def number_of(carrier: av.Packet | av.VideoFrame) -> int | None:
    """The number of a packet, or of the packet that a picture was decoded from; None if it was given none."""
    held = carrier.opaque
    return held[0] if isinstance(held, list) else None


def is_encrypted(packet: av.Packet) -> bool:
    """Whether the container says that a packet is encrypted (Common Encryption, ISO 23001-7)."""
    return packet.has_sidedata("encryption_info")
