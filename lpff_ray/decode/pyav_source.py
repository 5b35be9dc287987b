"""Frames by way of PyAV: exact for every container and codec FFmpeg knows, and strict about damage.

A frame is recognised by its presentation time, so it is never taken for another. FFmpeg repairs damaged
pictures with pieces of their neighbours and goes on; such pictures must not be measured. Three signs are
heeded: an error while decoding (with `err_detect=explode`, which turns most repairs into errors), a frame
flagged corrupt, and a frame that leans on either: from the first sign to the next keyframe every frame is
left out. What no decoder can see is damage that happens to be a valid bitstream.

Colours become RGB by the matrix and the range that the stream states, BT.601 and limited range where it states none,
as FFmpeg does it whatever the picture's size (players take untagged HD for BT.709; but what PyAV, OpenCV, decord and
most published data sets made of an untagged clip is this). How near that comes to the standards' formulas:
docs/evidence/decoding.md#colour. Transfer curves and primaries are taken for sRGB's: HDR is not tone-mapped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from lpff_ray.decode.container import codec_name, open_video, video_stream
from lpff_ray.decode.display import SQUARE, display_matrix, pixel_aspect, shown_size, turn
from lpff_ray.decode.frame_source import Frame, FrameSource, FrameTable, check_indices
from lpff_ray.decode.frame_table import read_frame_table
from lpff_ray.errors import segment_error
from lpff_ray.types import Stage

# Codecs whose FFmpeg decoder heeds `skip_frame` from packet to packet and whose unreferenced frames are
# unreferenced for good (an HEVC one may still serve a higher temporal layer).
SKIPPABLE = {"h264", "mpeg4"}

# Colour matrices that swscale converts, by their number in ITU-T H.273: RGB, BT.709, unspecified (BT.601), FCC, BT.601
# twice, SMPTE 240M, BT.2020. The others are YCgCo, BT.2020 with constant luminance, and odder ones.
MATRICES = {0, 1, 2, 4, 5, 6, 7, 9}

# Going to a keyframe further on costs a seek and a fresh decoder: worth it from about this many frames on.
SEEK_AHEAD = 12


class PyavSource(FrameSource):
    """A video read with PyAV. Raises SegmentError (stage "open") if it can not be opened."""

    name = "pyav"
    shortfall_is_final = True  # a frame that it leaves out is damaged

    def __init__(self, path: str, threads: int = 1) -> None:
        self.table: FrameTable = read_frame_table(path)
        self._path = path
        self._threads = threads
        self._reformatter = VideoReformatter()  # keeps its tables from frame to frame, which is faster
        self._opened: tuple[av.container.InputContainer, av.VideoStream] | None = None
        self._at_start = True  # nothing was read yet
        self._index_of = {int(tick): index for index, tick in enumerate(self.table.ticks)}
        # A frame may lean on every frame stored before it; this is the last of those to be shown.
        stored = np.argsort(self.table.decode_order)
        self._leans_on = np.empty(len(stored), np.int64)
        self._leans_on[stored] = np.maximum.accumulate(stored)
        self._open()

    def close(self) -> None:
        if self._opened is not None:
            self._opened[0].close()
            self._opened = None

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """See FrameSource.frames."""
        wanted = check_indices(indices, len(self.table))
        position = 0
        while position < len(wanted):
            start = self.table.keyframe_at_or_before(wanted[position]) if self.table.timed else 0
            for index, picture in self._decode(start, frozenset(wanted[position:])):
                while position < len(wanted) and wanted[position] < index:
                    position += 1  # passed by: it can not be decoded
                if position == len(wanted):
                    return
                if wanted[position] == index:
                    yield Frame(index, int(self.table.pts_ns[index]), self._rgb(picture))
                    position += 1
                    # Asked only after a delivery, so that a file that can not be seeked in ends, too.
                    if position == len(wanted) or self._seek_pays(index, wanted[position]):
                        break
            else:
                return

    def _seek_pays(self, index: int, target: int) -> bool:
        if target - index <= SEEK_AHEAD or not self.table.timed:
            return False
        return self.table.keyframe_at_or_before(target) - index > SEEK_AHEAD

    def _open(self) -> tuple[av.container.InputContainer, av.VideoStream]:
        """Open the file afresh: the only way to its first frame that holds for every container."""
        self.close()
        try:
            container = open_video(self._path)
        except (av.FFmpegError, OSError) as error:
            raise segment_error(Stage.OPEN, error, self.name) from None
        stream = video_stream(container)
        if stream is None:
            container.close()
            raise segment_error(Stage.OPEN, "no video stream", self.name, "NoVideo")
        stream.codec_context.thread_count = self._threads
        stream.codec_context.thread_type = "AUTO" if self._threads > 1 else "NONE"
        stream.codec_context.options = {"err_detect": "explode"}
        self._aspect = pixel_aspect(stream)
        self._opened = container, stream
        self._at_start = True
        return self._opened

    def _index(self, packet: av.Packet) -> int | None:
        if packet.pts is None or not self.table.timed:
            return None
        return self._index_of.get(packet.pts)

    def _packets(self, start: int) -> Iterator[tuple[av.VideoStream, av.Packet]]:
        """Packets in decoding order from keyframe `start` or an earlier one; the last one is the end mark."""
        stream, packets = self._seek(start)
        opening: int | None = None
        for position, packet in enumerate(packets):
            index = self._index(packet)
            if position == 0 and packet.is_keyframe:
                opening = index
            # Frames shown before the first keyframe but stored after it lean on what was not read.
            if index is None or opening is None or index >= opening:
                yield stream, packet

    def _seek(self, start: int) -> tuple[av.VideoStream, Iterator[av.Packet]]:
        container, stream = self._opened if self._opened is not None else self._open()
        if start > 0:
            self._at_start = False
            # A seek may land too late where the index knows only decoding times: check, and go back further.
            for target in (start, self.table.keyframe_at_or_before(start - 1)):
                container.seek(int(self.table.ticks[target]), stream=stream)
                packets = container.demux(stream)
                first = next((packet for packet in packets if packet.is_keyframe), None)
                landed = self._index(first) if first is not None else None
                if first is not None and landed is not None and landed <= start:
                    return stream, chain([first], packets)
        if not self._at_start:
            container, stream = self._open()
        self._at_start = False
        return stream, container.demux(stream)

    def _decode(self, start: int, wanted: frozenset[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Sound frames in presentation order, from keyframe `start` on; those not wanted may be missing."""
        damage = _Damage()
        held: deque[tuple[int, av.VideoFrame]] = deque()
        try:
            for index, picture in self._pictures(start, wanted, damage):
                held.append((index, picture))
                if picture.is_corrupt:
                    damage.begin(int(self.table.decode_order[index]))
                # Damage shows when a frame comes out, and what leans on it may be shown before: wait.
                while held and self._leans_on[held[0][0]] <= index:
                    yield from self._sound(held.popleft(), damage)
            while held:
                yield from self._sound(held.popleft(), damage)
        except (av.FFmpegError, OSError) as error:
            raise segment_error(Stage.DECODE, error, self.name) from None

    def _sound(
        self, found: tuple[int, av.VideoFrame], damage: _Damage
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        if not damage.covers(int(self.table.decode_order[found[0]]), found[0]):
            yield found

    def _pictures(
        self, start: int, wanted: frozenset[int], damage: _Damage
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """All pictures of the table that FFmpeg puts out, sound or not, with their index."""
        counted = -1
        position = 0  # in decoding order, of the packet read last
        for stream, packet in self._packets(start):
            index = self._index(packet)
            if index is not None and packet.size:
                position = int(self.table.decode_order[index])
                if packet.is_keyframe:
                    damage.reach_keyframe(position, index)
                if self._threads == 1 and codec_name(stream) in SKIPPABLE:
                    # A frame that nobody asked for and nothing leans on need not be decoded at all.
                    stream.codec_context.skip_frame = "DEFAULT" if index in wanted else "NONREF"
            try:
                pictures = packet.decode()
            except av.FFmpegError:
                # Frame threads report an error up to one packet each too late.
                damage.begin(position - self._threads + 1)
                continue
            for picture in pictures:
                assert isinstance(picture, av.VideoFrame)
                counted += 1
                found = self._index_of_picture(picture) if self.table.timed else counted
                if found is not None and found < len(self.table):
                    yield found, picture

    def _index_of_picture(self, picture: av.VideoFrame) -> int | None:
        """None for a picture that carries no time although its packet did.

        Its position can not be told by its predecessor's, since frames that nobody asked for are skipped, nor by its
        dts, which most decoders copy from the packet read last: better none than another.
        """
        return None if picture.pts is None else self._index_of.get(picture.pts)

    def _rgb(self, picture: av.VideoFrame) -> npt.NDArray[np.uint8]:
        if picture.colorspace not in MATRICES:
            message = (
                f"colour matrix {picture.colorspace} of ITU-T H.273 is unknown here: re-encode as BT.709"
            )
            raise segment_error(Stage.DECODE, message, self.name, "Colour")
        matrix = display_matrix(picture)
        scaled: dict[str, Any] = {}
        if self._aspect != SQUARE:
            size = shown_size(picture.width, picture.height, self._aspect, matrix)
            width, height = size if matrix[0] else size[::-1]
            scaled = {"width": width, "height": height, "interpolation": Interpolation.BICUBIC}
        try:
            converted = self._reformatter.reformat(picture, format="rgb24", threads=1, **scaled).to_ndarray()
        except (av.FFmpegError, ValueError) as error:
            raise segment_error(Stage.DECODE, error, self.name) from None
        return np.ascontiguousarray(turn(converted.astype(np.uint8, copy=False), matrix))


class _Damage:
    """Which frames lean on damaged packets: in decoding order, from the damage to the next keyframe.

    Frames that come after that keyframe in decoding order but are shown before it lean on the damaged side
    too.
    """

    def __init__(self) -> None:
        self._spans: list[
            tuple[int, int, int]
        ] = []  # first position, position and frame index of the keyframe
        self._open_since: int | None = None

    def begin(self, position: int) -> None:
        if self._open_since is None or position < self._open_since:
            self._open_since = position

    def reach_keyframe(self, position: int, index: int) -> None:
        if self._open_since is not None:
            self._spans.append((self._open_since, position, index))
            self._open_since = None

    def covers(self, position: int, index: int) -> bool:
        if self._open_since is not None and position >= self._open_since:
            return True
        return any(
            first <= position and (position < key_position or index < key_index)
            for first, key_position, key_index in self._spans
        )
