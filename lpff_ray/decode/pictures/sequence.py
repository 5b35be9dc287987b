"""A folder or zip of numbered pictures as a clip: the frames of VFHQ, VoxCeleb or EFHQ as they lie on disk."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from lpff_ray.decode.frame_source import NS, Frame, FrameSource, FrameTable, check_indices
from lpff_ray.decode.pictures.members import Members, local_members, stamp_of
from lpff_ray.decode.pictures.numbering import NumberedPictures, numbered_pictures
from lpff_ray.decode.pictures.opening import open_photo
from lpff_ray.decode.pictures.photo import to_rgb
from lpff_ray.errors import UserError, segment_error
from lpff_ray.types import MediaKind, Stage

DEFAULT_FPS = 25.0
"""Frames per second of a sequence of which nobody said it."""
NOT_NUMBERED = "its pictures are not one series of numbered frames (0001.png, 0002.png, ...)"
log = logging.getLogger(__name__)


def sequence_times(numbers: Sequence[int], fps: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    """When each picture is shown, int64 [n] in nanoseconds from the first: by its number, so that a hole in the numbers
    is a hole in time."""
    steps = np.asarray(numbers, np.int64) - numbers[0]
    return np.rint(steps * (NS / fps)).astype(np.int64)


class SequenceSource(FrameSource):
    """Numbered pictures, read with Pillow. Raises SegmentError (stage "open") if there is no such series.

    Row i of the table is the picture of the i-th lowest number; every frame is a keyframe.
    """

    name = "sequence"
    kinds = frozenset({MediaKind.SEQUENCE})
    shortfall_is_final = True

    def __init__(self, path: str, threads: int = 1, fps: float = 0.0) -> None:
        """path: a folder, a zip, or `zip://FOLDER::ZIP`. fps: frames per second, 0 for DEFAULT_FPS."""
        try:
            self._members, self._pictures = _listed(path, stamp_of(path))
        except OSError as error:
            raise segment_error(Stage.OPEN, error, self.name) from error
        if self._pictures is None:
            raise segment_error(Stage.OPEN, NOT_NUMBERED, self.name, "Unreadable")
        times = sequence_times(self._pictures.numbers, fps or DEFAULT_FPS)
        order = np.arange(len(times))
        self.table = FrameTable(times, np.ones(len(times), bool), order, times, Fraction(1, NS))

    @classmethod
    def at_rate(cls, path: str, threads: int, fps: float) -> SequenceSource:
        """See FrameSource.at_rate."""
        return cls(path, threads, fps)

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """See FrameSource.frames. A picture that can not be read is left out."""
        assert self._pictures is not None
        for index in check_indices(indices, len(self.table)):
            name = self._pictures.names[index]
            try:
                with open_photo(io.BytesIO(self._members.read(name))) as image:
                    rgb = to_rgb(image)
            except UserError:
                raise
            except Exception:  # whatever Pillow's parsing meets in a damaged picture
                log.info("frame %d, %s: can not be read", index, name, exc_info=True)
                continue
            yield Frame(index, int(self.table.pts_ns[index]), rgb)


@lru_cache(maxsize=2)
def _listed(path: str, stamp: tuple[Any, ...]) -> tuple[Members, NumberedPictures | None]:
    # Segments of one clip follow each other: a zip is opened, and its directory read, once for all of them.
    members = local_members(path)
    return members, numbered_pictures(members.sizes)
