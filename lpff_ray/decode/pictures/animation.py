"""An animated picture (GIF, APNG, WebP, AVIF) as a video of its frames."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np
from PIL import Image

from lpff_ray.decode.frame_source import Frame, FrameSource, FrameTable, check_indices
from lpff_ray.decode.pictures.opening import open_photo, pixel_limit
from lpff_ray.decode.pictures.photo import to_rgb
from lpff_ray.errors import UserError, segment_error
from lpff_ray.types import MediaKind, Stage

log = logging.getLogger(__name__)
FORMATS = {"GIF", "PNG", "WEBP", "AVIF"}
"""Formats whose pictures are shown one after the other, unlike the pages of a TIFF and the two eyes of an MPO."""
SHORTEST_MS, USUAL_MS = 10, 100
"""A frame that is said to last SHORTEST_MS or less lasts USUAL_MS, as in every browser."""
_BYTES_PER_FRAME = 12  # what the shortest frame of any of the formats takes: a header's number is held to it


def frame_count(image: Image.Image, size: int) -> int:
    """Frames of an opened picture that are shown one after the other; 1 if it is a plain photo.

    size: bytes of its file, which bound what its header may announce.
    """
    if image.format not in FORMATS:
        return 1
    return max(1, min(getattr(image, "n_frames", 1) - _first_frame(image), size // _BYTES_PER_FRAME))


def _first_frame(image: Image.Image) -> int:
    """Where the animation begins: an APNG may have a still picture, for others, before it."""
    return int(bool(image.info.get("default_image")))


def read_times(image: Image.Image, size: int) -> list[int]:
    """When each frame is shown, in milliseconds, and when the last one ends; n + 1 ascending numbers.

    Every frame is decoded. From one that can not be on, they last as long as the one before.
    """
    times, duration = [0], USUAL_MS
    sound = True
    for index in range(frame_count(image, size)):
        if sound:
            try:
                with pixel_limit():
                    image.seek(_first_frame(image) + index)
                    image.load()
                stated = image.info.get("duration") or 0
                duration = round(stated) if stated > SHORTEST_MS else USUAL_MS
            except Exception:  # noqa: BLE001  # decoding them says what is wrong: those frames will be missing
                sound = False
        times.append(times[-1] + duration)
    return times


class AnimationSource(FrameSource):
    """An animated picture, read with Pillow. Raises SegmentError (stage "open") if it can not be read."""

    name = "animation"
    kinds = frozenset({MediaKind.ANIMATION})
    shortfall_is_final = True

    def __init__(self, path: str, threads: int = 1) -> None:
        self._path = path
        try:
            status = os.stat(path)
            times = np.array(_times(path, status.st_size, status.st_mtime_ns, status.st_ino), np.int64)[:-1]
        except UserError:
            raise
        except Exception as error:
            raise segment_error(Stage.OPEN, error, self.name) from error
        order = np.arange(len(times))
        self.table = FrameTable(times * 1_000_000, order == 0, order, times, Fraction(1, 1000))

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """See FrameSource.frames. Each frame is drawn over those before it: none can be had after one that can not."""
        wanted = check_indices(indices, len(self.table))
        with open_photo(self._path) as image:
            for index in wanted:
                try:
                    with pixel_limit():
                        image.seek(_first_frame(image) + index)
                    rgb = to_rgb(image)
                except UserError:
                    raise
                except Exception:
                    log.info("%s: frame %d can not be decoded", self._path, index, exc_info=True)
                    return
                yield Frame(index, int(self.table.pts_ns[index]), rgb)


@lru_cache(maxsize=8)
def _times(path: str, size: int, mtime_ns: int, inode: int) -> tuple[int, ...]:
    # Segments of one file follow each other, and each would decode it all: remember the last few.
    with open_photo(path) as image:
        return tuple(read_times(image, size))
