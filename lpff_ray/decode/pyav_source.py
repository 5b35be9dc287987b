"""Frames by way of PyAV: exact for every container and codec FFmpeg knows, and strict about damage.

A frame is recognised by the packet it was decoded from, whose number it carries, so it is never taken for another. What
is damaged is left out (see `damage`). What no decoder can see is damage that happens to be a valid bitstream; those of
VP8 and VP9 take nearly any bytes for one.

Colours become RGB by the matrix and the range that the stream states, BT.601 and limited range where it states none,
as FFmpeg does it whatever the picture's size (players take untagged HD for BT.709; but what PyAV, OpenCV, decord and
most published data sets made of an untagged clip is this). How near that comes to the standards' formulas:
docs/evidence/decoding.md#colour. Transfer curves and primaries are taken for sRGB's: HDR is not tone-mapped.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import chain, dropwhile
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from lpff_ray.decode import damage
from lpff_ray.decode.container import codec_name, number_of, open_video, packets_of, set_number, video_stream
from lpff_ray.decode.display import SQUARE, DisplayMatrices, deinterlaced, pixel_aspect, shown_size, turn
from lpff_ray.decode.frame_source import Frame, FrameSource, FrameTable, check_indices
from lpff_ray.decode.frame_table import numbered, read_frame_table
from lpff_ray.errors import segment_error
from lpff_ray.types import Stage

# Codecs whose FFmpeg decoder heeds `skip_frame` from packet to packet and whose unreferenced frames are
# unreferenced for good (an HEVC one may still serve a higher temporal layer).
SKIPPABLE = {"h264", "mpeg4"}

# Colour matrices that swscale converts, by their number in ITU-T H.273: RGB, BT.709, unspecified (BT.601), FCC, BT.601
# twice, SMPTE 240M, BT.2020. Of the others, FOREIGN ones need formulas of their own: YCgCo, BT.2020 with constant
# luminance, SMPTE 2085, chromaticity-derived, ICtCp, IPT-C2, YCgCo-R. The rest is reserved: shown as if unspecified.
MATRICES = {0, 1, 2, 4, 5, 6, 7, 9}
FOREIGN = {8, *range(10, 18)}
UNSPECIFIED = 2

# Going to a keyframe further on costs a seek and a fresh decoder: worth it from about this many frames on.
SEEK_AHEAD = 12


class _NoEntryError(Exception):
    """Decoding that began at a keyframe did not give it: it comes whole only after others, as with intra refresh."""


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
        self._matrices = DisplayMatrices()
        self._at_start = True  # nothing was read yet
        self._enters = True  # decoding can begin at every keyframe, as far as was seen
        packets = self.table.decode_order.tolist()
        self._packet_of = (
            dict(zip(self.table.ticks.tolist(), packets, strict=True)) if self.table.timed else {}
        )
        # A packet is one frame, but for codecs that pack several into one.
        self._frames_of: dict[int, list[int]] = {}
        for index, packet in enumerate(packets):
            self._frames_of.setdefault(packet, []).append(index)
        # A frame may lean on every frame stored before it; this is the last of those to be shown.
        stored = np.argsort(self.table.decode_order, kind="stable")
        self._leans_on = np.empty(len(stored), np.int64)
        self._leans_on[stored] = np.maximum.accumulate(stored)
        self._open()

    def close(self) -> None:
        if self._opened is not None:
            self._opened[0].close()
            self._opened = None

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """See FrameSource.frames."""
        for index, picture in self._sound_pictures(indices):
            yield Frame(index, int(self.table.pts_ns[index]), self._rgb(picture))

    def sound(self, indices: Sequence[int]) -> list[int]:
        """Those of the ascending `indices` whose frames can be decoded and are not damaged. See FrameSource.frames."""
        return [index for index, _ in self._sound_pictures(indices)]

    def _sound_pictures(self, indices: Sequence[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        wanted = check_indices(indices, len(self.table))
        position = 0
        while position < len(wanted):
            start = self.table.keyframe_at_or_before(wanted[position]) if self._enters else 0
            try:
                for index, picture in self._decode(start, frozenset(wanted[position:])):
                    while position < len(wanted) and wanted[position] < index:
                        position += 1  # passed by: it can not be decoded
                    if position == len(wanted):
                        return
                    if wanted[position] == index:
                        yield index, picture
                        position += 1
                        # Asked only after a delivery, so that a file that can not be seeked in ends, too.
                        if position == len(wanted) or self._seek_pays(index, wanted[position]):
                            break
                else:
                    return
            except _NoEntryError:
                self._enters = False

    def _seek_pays(self, index: int, target: int) -> bool:
        if target - index <= SEEK_AHEAD or not self.table.timed or not self._enters:
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
        context = stream.codec_context
        context.thread_count = self._threads
        # Threads for frames report damage too late, and in threads of their own.
        context.thread_type = "SLICE" if self._threads > 1 else "NONE"
        context.copy_opaque = True
        context.options = damage.decoder_options(codec_name(stream))
        self._aspect = pixel_aspect(stream)
        self._opened = container, stream
        self._at_start = True
        return self._opened

    def _packets(self, start: int) -> Iterator[tuple[av.VideoStream, av.Packet | None]]:
        """Packets in decoding order from keyframe `start` or an earlier one, numbered as in the table; None at the end.

        One that holds no frame of the table may have no number. Left out: frames shown before the first
        keyframe but stored after it, which lean on what was not read.
        """
        stream, packets = self._seek(start) if self.table.timed else self._skip(start)
        opening: int | None = None
        for position, packet in enumerate(packets):
            index = self._index(packet)
            if position == 0 and packet.is_keyframe:
                opening = index
            if index is None or opening is None or index >= opening:
                yield stream, packet
        yield stream, None

    def _index(self, packet: av.Packet) -> int | None:
        """The frame that a numbered packet holds, the first one if there are several; None for none."""
        number = number_of(packet)
        return None if number is None or number not in self._frames_of else self._frames_of[number][0]

    def _timed(self, packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
        for packet in packets:
            if packet.size:
                if packet.pts is not None and packet.pts in self._packet_of:
                    set_number(packet, self._packet_of[packet.pts])
                yield packet

    def _skip(self, start: int) -> tuple[av.VideoStream, Iterator[av.Packet]]:
        """From keyframe `start` on, with the packets before it read but not decoded: their times tell nothing."""
        container, stream = self._opened if self._opened is not None and self._at_start else self._open()
        self._at_start = False
        first = int(self.table.decode_order[start]) if start > 0 else 0
        packets = numbered(packets_of(container, stream))
        return stream, dropwhile(lambda packet: (number_of(packet) or 0) < first, packets)

    def _seek(self, start: int) -> tuple[av.VideoStream, Iterator[av.Packet]]:
        container, stream = self._opened if self._opened is not None else self._open()
        if start > 0:
            self._at_start = False
            # A seek may land too late where the index knows only decoding times: check, and go back further.
            for target in (start, self.table.keyframe_at_or_before(start - 1)):
                container.seek(int(self.table.ticks[target]), stream=stream)
                packets = self._timed(packets_of(container, stream))
                first = next((packet for packet in packets if packet.is_keyframe), None)
                landed = self._index(first) if first is not None else None
                if first is not None and landed is not None and landed <= start:
                    return stream, chain([first], packets)
        if not self._at_start:
            container, stream = self._open()
        self._at_start = False
        return stream, self._timed(packets_of(container, stream))

    def _decode(self, start: int, wanted: frozenset[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Sound frames in presentation order, from keyframe `start` on; those not wanted may be missing."""
        spoiled = damage.Damage()
        held: deque[tuple[int, av.VideoFrame]] = deque()
        try:
            for index, picture in self._pictures(start, wanted, spoiled):
                held.append((index, picture))
                if picture.is_corrupt:
                    spoiled.begin(int(self.table.decode_order[index]))
                # Damage shows when a frame comes out, or the next one does not, and what leans on it may come first.
                while held and self._leans_on[held[0][0]] < index:
                    yield from self._undamaged(held.popleft(), spoiled)
            while held:
                yield from self._undamaged(held.popleft(), spoiled)
        except (av.FFmpegError, OSError) as error:
            raise segment_error(Stage.DECODE, error, self.name) from None

    def _undamaged(
        self, found: tuple[int, av.VideoFrame], spoiled: damage.Damage
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        if not spoiled.covers(int(self.table.decode_order[found[0]]), found[0]):
            yield found

    def _pictures(
        self, start: int, wanted: frozenset[int], spoiled: damage.Damage
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """All pictures of the table that FFmpeg puts out, sound or not, with their index."""
        position = 0  # in decoding order, of the packet read last
        given: Counter[int] = Counter()  # pictures of each packet so far
        entry: int | None = None
        entered = start == 0
        for stream, packet in self._packets(start):
            if packet is not None:
                index, number = self._index(packet), number_of(packet)
                entry = index if entry is None else entry
                position = position if number is None else number
                if number in self.table.damaged:
                    spoiled.begin(position)
                if index is not None:
                    if packet.is_keyframe:
                        spoiled.reach_keyframe(position, index)
                    if self.table.timed and self._threads == 1 and codec_name(stream) in SKIPPABLE:
                        # A frame that nobody asked for and nothing leans on need not be decoded at all.
                        stream.codec_context.skip_frame = "DEFAULT" if index in wanted else "NONREF"
            for found in self._numbered(stream, packet, position, given, spoiled):
                if not entered and found[0] != entry:
                    break
                entered = True
                yield found
            if not entered and (given or packet is None):
                raise _NoEntryError

    def _numbered(
        self,
        stream: av.VideoStream,
        packet: av.Packet | None,
        position: int,
        given: Counter[int],
        spoiled: damage.Damage,
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """The pictures that the decoder gives for a packet, or at the end (None), by the packets that they carry."""
        try:
            pictures, is_damaged = damage.decode(stream.codec_context, packet)
        except av.FFmpegError:
            # Overwritten bytes begin in the packet before, whose end may have passed for a valid one.
            spoiled.begin(position - 1)
            return
        if is_damaged:
            spoiled.begin(position)
        for picture in pictures:
            number = number_of(picture)
            frames = [] if number is None else self._frames_of.get(number, [])
            if number is not None and given[number] < len(frames):
                given[number] += 1
                yield frames[given[number] - 1], picture

    def _rgb(self, picture: av.VideoFrame) -> npt.NDArray[np.uint8]:
        if picture.colorspace in FOREIGN:
            message = (
                f"colour matrix {picture.colorspace} of ITU-T H.273 is unknown here: re-encode as BT.709"
            )
            raise segment_error(Stage.DECODE, message, self.name, "Colour")
        if picture.colorspace not in MATRICES:
            picture.colorspace = UNSPECIFIED
        matrix = self._matrices.of(picture)
        try:
            picture = deinterlaced(picture)
        except av.FFmpegError as error:
            raise segment_error(Stage.DECODE, error, self.name) from None
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
