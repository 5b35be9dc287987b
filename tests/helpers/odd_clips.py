"""Clips as careless tools leave them: joined files, times that are missing, repeated or wrong, several formats in one.

Every frame carries its number in its pixels, as those of `clips` do.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from clips import paint, write_clip
from PIL import Image

Retime = Callable[[int], tuple[int, int]]
"""Number of a packet in the file -> the pts and dts that it gets, in ticks of the source."""


def remux(
    source: Path, path: Path, retime: Retime | None = None, bitstream_filter: str = "", **options: str
) -> Path:
    """The packets of a clip in another file, with other times or through one of FFmpeg's bitstream filters.

    options: of the muxer.
    """
    with av.open(str(source)) as read, av.open(str(path), "w", options=options) as written:
        stream = read.streams.video[0]
        copy = written.add_stream_from_template(stream)
        bsf = BitStreamFilterContext(bitstream_filter, stream) if bitstream_filter else None
        number = 0
        for packet in read.demux(stream):
            if not packet.size:
                continue
            if retime is not None:
                packet.pts, packet.dts = retime(number)
            number += 1
            for made in bsf.filter(packet) if bsf else [packet]:
                made.stream = copy
                written.mux(made)
    return path


def joined(path: Path, *clips: Path) -> Path:
    """Files one after the other, as `cat` joins them."""
    path.write_bytes(b"".join(clip.read_bytes() for clip in clips))
    return path


def numbered_from(first: int) -> Callable[[int, int, int], np.ndarray]:
    """Paints the number that a frame has in the file that its clip is joined to, `first` frames long."""
    return lambda index, width, height: paint(index + first, width, height)


def write_mpeg2(path: Path, frames: int, first: int = 0, gop: int = 10, **options: object) -> Path:
    """An MPEG-2 clip with B-frames, 25 frames per second; options: attributes of the codec context."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.options = {"g": str(gop), "bf": "2", "b": "4000000"}
        stream.codec_context.thread_count = 1
        for name, value in options.items():
            setattr(stream.codec_context, name, value)
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(paint(index + first, 96, 64), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    return path


def write_avi_in_mp4(path: Path, folder: Path) -> Path:
    """60 frames with B-frames whose presentation times are their decoding times, as AVI has them, in an MP4."""
    source = write_clip(folder / "b_frames.mkv", 60, b_frames=2)
    return remux(source, path, lambda number: (40 * number, 40 * number))


def write_photos_with_exif(path: Path, frames: int) -> Path:
    """JPEGs with EXIF as the frames of a video, 5 per second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for index in range(frames):
            exif = Image.Exif()
            exif[0x010F] = "camera"
            photo = io.BytesIO()
            Image.fromarray(paint(index, 64, 48)).save(photo, "JPEG", quality=90, exif=exif)
            packet = av.Packet(photo.getvalue())
            packet.stream = stream
            packet.pts = packet.dts = index
            packet.time_base = Fraction(1, 5)
            packet.is_keyframe = True
            container.mux(packet)
    return path


def write_sizes(path: Path, folder: Path, sizes: Sequence[tuple[int, int]], frames: int = 30) -> Path:
    """A file whose pictures change their size every `frames` frames, with the new size only in the stream itself."""
    parts = [
        write_clip(
            folder / f"part{number}.ts",
            frames,
            size=size,
            start_s=number * frames / 25,
            picture_of=numbered_from(number * frames),
        )
        for number, size in enumerate(sizes)
    ]
    return remux(joined(folder / "sizes.ts", *parts), path)
