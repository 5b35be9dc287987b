"""Frames by way of decord 0.6 (FFmpeg 4.1), where it can be relied on.

decord counts frames instead of looking at their times, never says which frame it delivers, makes every picture as large
as the first, and does not report damage. So it reads only what `DecordSource.objection` finds nothing against and what
its own index agrees with: there a frame's position is certain. Damage is looked for with PyAV, which costs more than
reading with PyAV alone. Where decord goes wrong, and how often: docs/evidence/decoding.md#decord.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from typing import Any

import av
import numpy as np

from lpff_ray.decode.container import codec_name, open_video, video_stream
from lpff_ray.decode.display import IDENTITY, SQUARE, display_matrix, pixel_aspect
from lpff_ray.decode.frame_source import Frame, FrameSource, FrameTable, check_indices
from lpff_ray.decode.frame_table import read_frame_table
from lpff_ray.decode.pyav_source import MATRICES, PyavSource
from lpff_ray.errors import segment_error
from lpff_ray.types import Stage

CONTAINERS = {"mov", "mp4"}  # every frame's position stands in the header, so a lost one is noticed
CODECS = {"h264", "hevc"}
# After a seek decord decodes on to the next keyframe, whether asked or not, and keeps every picture: those between two
# keyframes must fit in this. Evidence: docs/evidence/decoding.md#memory.
MOST_GROUP_BYTES = 512 << 20


class DecordSource(FrameSource):
    """A video read with decord.

    Raises SegmentError: stage "open" if decord can not open the file or disagrees with the frame table, stage "decode"
    when decord gives up.
    """

    name = "decord"

    def __init__(self, path: str, threads: int = 1) -> None:
        self.table: FrameTable = read_frame_table(path)
        self._path = path
        self._threads = threads
        decord = _imported_decord()
        self._errors: tuple[type[Exception], ...] = (decord.DECORDError, RuntimeError, AssertionError)
        decord.logging.set_level(decord.logging.QUIET)
        try:
            self._reader: Any = self._open()
            shape = self._reader.next().shape
        except self._errors as error:
            raise segment_error(Stage.OPEN, error, self.name) from None
        if len(shape) != 3 or shape[2] != 3:
            raise segment_error(
                Stage.OPEN, f"decord's picture has the shape {shape}", self.name, "Unreliable"
            )
        if not self._agrees():
            raise segment_error(Stage.OPEN, "decord's frame index is another", self.name, "Unreliable")
        self.close()

    def _open(self) -> Any:
        decord = _imported_decord()
        return decord.VideoReader(self._path, ctx=decord.cpu(0), num_threads=self._threads)

    @classmethod
    def objection(cls, path: str) -> str:
        """See FrameSource.objection. Decodes the keyframes, with PyAV."""
        if importlib.util.find_spec("decord") is None:
            return "decord is not installed"
        return _objection(path, read_frame_table(path))

    def _agrees(self) -> bool:
        """Do decord's number of frames, keyframes and times (float32 seconds) equal the table's?"""
        reader, table = self._reader, self.table
        if len(reader) != len(table):
            return False
        if list(reader.get_key_indices()) != np.flatnonzero(table.is_keyframe).tolist():
            return False
        theirs = reader.get_frame_timestamp(np.arange(len(table)))[:, 0].astype(np.float64)
        ours = (table.pts_ns - table.pts_ns[0]) / 1e9
        return bool(np.allclose(theirs - theirs[0], ours, rtol=1e-6, atol=1e-3))

    def close(self) -> None:
        self._reader = None  # frees the FFmpeg contexts

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """See FrameSource.frames. One frame in memory at a time; decord decodes what lies between, too.

        A damaged frame is left out.
        """
        wanted = check_indices(indices, len(self.table))
        with PyavSource(self._path) as witness:
            sound = witness.sound(wanted)
        # Opened only now: decord decodes on while nobody asks, and keeps all pictures up to the next keyframe.
        for index in sound:
            try:
                self._reader = self._reader or self._open()
                # Checks the keyframe it lands on, which skip_frames does not; equally fast.
                self._reader.seek_accurate(index)
                rgb = self._reader.next().asnumpy()
            except StopIteration:
                return
            except self._errors as error:
                raise segment_error(Stage.DECODE, error, self.name) from None
            yield Frame(index, int(self.table.pts_ns[index]), rgb)


def _imported_decord() -> Any:
    """The package, imported when first asked for: it takes 0.1 s and is absent on some platforms.

    Its import sets PATH and KMP_DUPLICATE_LIB_OK, which Windows needs while it loads; afterwards they are the caller's.
    """
    names = ("PATH", "KMP_DUPLICATE_LIB_OK")
    before = {name: os.environ.get(name) for name in names}
    import decord

    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        elif os.environ.get(name) != value:
            os.environ[name] = value
    return decord


def _objection(path: str, table: FrameTable) -> str:
    """Why decord may not read this video, or "": what is known of the file and its frames, and its first frame."""
    if table.irregular:
        return table.irregular
    keyframes = np.flatnonzero(table.is_keyframe)
    if not len(keyframes) or keyframes[0] != 0:
        return "no keyframe at its start"
    if (table.decode_order[keyframes] != keyframes).any():
        return "open groups of pictures"
    try:
        with open_video(path) as container:
            if not CONTAINERS & set(container.format.name.split(",")):
                return f"container {container.format.name}"
            stream = video_stream(container)
            if stream is None or codec_name(stream) not in CODECS:
                return f"codec {codec_name(stream) if stream else ''}"
            stream.codec_context.thread_count = 1
            stream.codec_context.skip_frame = "NONKEY"
            pictures = container.decode(stream)
            picture = next(pictures, None)
            if not isinstance(picture, av.VideoFrame):
                return "no frame at its start"
            longest = int(np.diff(keyframes, append=len(table)).max())
            if longest * picture.width * picture.height * 3 > MOST_GROUP_BYTES:
                return f"{longest} frames of {picture.width} x {picture.height} between keyframes"
            if display_matrix(picture) != IDENTITY:
                return "rotated"
            if pixel_aspect(stream) != SQUARE:
                return "pixels are not square"
            if any(component.bits != 8 for component in picture.format.components):
                return f"more than 8 bits: {picture.format.name}"
            if picture.colorspace not in MATRICES:  # decord takes it for BT.601
                return f"colour matrix {picture.colorspace}"
            if picture.interlaced_frame:
                return "interlaced"
            size = picture.width, picture.height
            if any((other.width, other.height) != size for other in pictures):
                return "its pictures change size"
    except (av.FFmpegError, OSError) as error:
        return f"its keyframes: {error}"
    return ""
