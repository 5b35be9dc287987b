"""A file decoded once, or twice: the one policy for a decoder that delivers less than was asked for.

A decoder whose shortfall is not final (decord) is followed by a pass of the last resort (PyAV), whose result is used.
Mining starts over with the second pass, so that a segment's rows come from one decoder; an export asks it only for what
is missing.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from lpff_ray.decode.frame_source import Frame, FrameSource, FrameTable
from lpff_ray.decode.registry import AUTO, last_resort, open_source
from lpff_ray.errors import segment_error
from lpff_ray.monitoring.timing import Timed
from lpff_ray.types import Stage


@dataclass
class DecodingPass(Timed):
    """One decoder's work on one file: `frames` is to be called once.

    note: why there had to be another pass after an earlier one, "" for the first.
    wanted: how many frames were asked for. missing: indices of those that have not come, ascending.
    seconds: spent, by stage: "open", "decode".
    """

    source: FrameSource
    note: str = ""
    wanted: int = 0
    missing: list[int] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def decoder(self) -> str:
        """The decoder's name."""
        return self.source.name

    @property
    def remarks(self) -> str:
        """What is to be known of the frames that came and did not come; "" if nothing is."""
        lost = f"{len(self.missing)} of {self.wanted} frames are damaged: {_ranges(self.missing)}"
        return "; ".join(part for part in (self.note, self.table.note, lost if self.missing else "") if part)

    @property
    def table(self) -> FrameTable:
        """The file's frames."""
        return self.source.table

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """See FrameSource.frames; what comes is counted and timed.

        Raises SegmentError, too, for a frame that was not asked for: it would end up under a wrong number.
        """
        waiting = dict.fromkeys(int(index) for index in indices)
        self.wanted, self.missing = len(waiting), list(waiting)
        frames = iter(self.source.frames(list(waiting)))
        try:
            while True:
                with self.timed("decode"):
                    frame = next(frames, None)
                if frame is None:
                    return
                if frame.index not in waiting:
                    message = f"frame {frame.index} was delivered unasked, or twice"
                    raise segment_error(Stage.DECODE, message, self.decoder, "Unreliable")
                del waiting[frame.index]
                yield frame
        finally:
            self.missing = list(waiting)


def _ranges(indices: Sequence[int], most: int = 5) -> str:
    """Ascending numbers in a few words: "3-7, 9"; "..." for what is beyond the first `most` ranges."""
    found: list[list[int]] = []
    for index in indices:
        if found and index == found[-1][1] + 1:
            found[-1][1] = index
        else:
            found.append([index, index])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in found[:most]]
    return ", ".join(words + ["..."] * (len(found) > most))


def passes(
    path: str, kind: str, decoder: str = AUTO, fallback: bool = True, fps: float = 0.0
) -> Iterator[DecodingPass]:
    """Open a local file for decoding, once or twice: `for decoding in passes(...): decoding.frames(wanted)`.

    kind, decoder, fps: as for `open_source`. fallback: False to leave it at the first pass.
    The second pass comes if the first one, whose shortfall is not final, left frames out. A pass's file is open until
    the next pass is asked for. Raises SegmentError (stage "open") if the file can not be opened.
    """
    first = yield from _pass(path, kind, decoder, fps)
    if fallback and first.missing and not first.source.shortfall_is_final:
        note = f"{first.decoder} delivered {first.wanted - len(first.missing)} of {first.wanted} frames"
        yield from _pass(path, kind, last_resort(kind), fps, note)


def _pass(
    path: str, kind: str, decoder: str, fps: float, note: str = ""
) -> Generator[DecodingPass, None, DecodingPass]:
    seconds: dict[str, float] = defaultdict(float)
    opening = time.perf_counter()
    source = open_source(path, kind, decoder, fps=fps)
    seconds["open"] = time.perf_counter() - opening
    with source:
        decoding = DecodingPass(source, note, seconds=seconds)
        yield decoding
    return decoding
