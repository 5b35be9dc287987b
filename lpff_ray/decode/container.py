"""Video files opened with FFmpeg, by way of PyAV."""

from __future__ import annotations

import os
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


def codec_name(stream: av.VideoStream) -> str:
    """FFmpeg's name of the format ("av1"), not of the decoder that happens to read it ("libdav1d")."""
    return stream.codec_context.codec.canonical_name
