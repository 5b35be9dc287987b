"""What every decoder is: a class whose objects deliver the frames of one file by their index.

A decoder of another package derives from `FrameSource` and is named by an entry point (see `registry`). What it
declares as class attributes tells the order of decoders and the fallback all that they have to know.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from types import TracebackType
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from lpff_ray.types import MediaKind

NS = 1_000_000_000
"""Nanoseconds in a second: all presentation times are in nanoseconds."""

AnySource = TypeVar("AnySource", bound="FrameSource")


@dataclass(frozen=True)
class FrameTable:
    """Every frame of a video that is meant to be seen, in presentation order; row i is frame_index i.

    pts_ns: int64 [n], strictly ascending presentation times in nanoseconds; see `note`.
    is_keyframe: bool [n].
    decode_order: int64 [n], position of the frame's packet among the stream's packets.
    ticks: int64 [n], presentation times of the packets in the stream's own `time_base` (seconds per tick); of use only
        if `timed`.
    irregular: why frames can not be told apart by position or time alone, "" for a plain table: packets that an
        edit list discards, missing or repeated times, packets marked corrupt, a demuxer that gave up.
    timed: False if the presentation times of packets do not tell frames and their order, for which the decoder was
        asked then: packets can only be counted from the start.
    damaged: positions of packets that the demuxer found damaged.
    note: what is to be known of `pts_ns`: why they were repaired, "" if they are the container's.
    """

    pts_ns: npt.NDArray[np.int64]
    is_keyframe: npt.NDArray[np.bool_]
    decode_order: npt.NDArray[np.int64]
    ticks: npt.NDArray[np.int64]
    time_base: Fraction
    irregular: str = ""
    timed: bool = True
    damaged: frozenset[int] = frozenset()
    note: str = ""

    def __len__(self) -> int:
        return len(self.pts_ns)

    def keyframe_at_or_before(self, index: int) -> int:
        """The last keyframe not after `index`, where decoding for it must start; 0 if there is none."""
        keyframes = np.flatnonzero(self.is_keyframe[: index + 1])
        return int(keyframes[-1]) if len(keyframes) else 0


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    index: position in the frame table. pts_ns: presentation time in nanoseconds.
    rgb: uint8 [height, width, 3], contiguous, as a player would show it: turned, with square pixels.
    """

    index: int
    pts_ns: int
    rgb: npt.NDArray[np.uint8]


class FrameSource(ABC):
    """Frames of one local file, by index. A context manager; one thread at a time.

    Declared by each decoder:
    name: what the decoder is called on the command line, in tables and in messages.
    kinds: the kinds of media that it reads.
    shortfall_is_final: True if no other decoder can be expected to deliver a frame that this one left out. Where it
        is False, a file of which frames are missing is decoded once more with the last resort (see `fallback`).

    Set by each object:
    table: the file's frames.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[MediaKind]] = frozenset({MediaKind.VIDEO})
    shortfall_is_final: ClassVar[bool] = False
    table: FrameTable

    @abstractmethod
    def __init__(self, path: str, threads: int = 1) -> None:
        """Open a local file. threads: decoding threads; the frames must not depend on it.

        Raises SegmentError (stage "open") if the file can not be opened.
        """

    @classmethod
    def objection(cls, path: str) -> str:
        """Why this decoder can not be relied on for a local file, "" if it can.

        Must rest on the file alone, so that all segments of a video get the same decoder. Raises SegmentError (stage
        "open") if the file can not be opened.
        """
        return ""

    @classmethod
    def at_rate(cls: type[AnySource], path: str, threads: int, fps: float) -> AnySource:
        """Open a file of which the plan knows the frames per second; media that say it themselves do not heed it."""
        return cls(path, threads)

    @abstractmethod
    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Deliver the frames at the ascending `indices`, each at most once, in order.

        A frame that can not be decoded is left out, never replaced by a neighbour. Raises SegmentError
        (stage "decode") when decoding has to end before the last of them.
        """

    def close(self) -> None:  # noqa: B027  # not every decoder keeps its file open
        """Let go of the file; nothing by default."""

    def __enter__(self: AnySource) -> AnySource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_indices(indices: Sequence[int], frames: int) -> list[int]:
    """The indices as a list. Raises ValueError unless they ascend strictly within [0, frames)."""
    wanted = [int(index) for index in indices]
    if any(later <= earlier for earlier, later in pairwise(wanted)):
        raise ValueError("frame indices must ascend strictly")
    if wanted and not (wanted[0] >= 0 and wanted[-1] < frames):
        raise ValueError(f"frame indices {wanted[0]}..{wanted[-1]} reach outside a video of {frames} frames")
    return wanted
