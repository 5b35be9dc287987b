"""A source video opened again for the export: the frames that mining saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import polars as pl

from lpff_ray.decode import Frame, open_source
from lpff_ray.errors import SegmentError, segment_error
from lpff_ray.monitoring.timing import Timed
from lpff_ray.plan.content import content_id, content_of
from lpff_ray.storage.local_copy import local_copy
from lpff_ray.storage.uri import explain, opened
from lpff_ray.tables.run_folder import PLAN_FILE, PLAN_REMEDY, open_run_folder


@dataclass(kw_only=True)
class Source:
    """A video, photo or clip of a run as its plan knows it.

    places: URIs under which its bytes were seen, the latest first. kind: "video" | "photo".
    start_s, end_s: the clip's span in seconds from the first frame, None for an end that is open.
    crop: the clip's (x0, y0, x1, y1) in pixels of the turned frame, or fractions of it if all are <= 1; None for all of
        it. Frames come whole in spite of it, and all coordinates of the faces table are of the whole frame.
    """

    video_id: str
    places: tuple[str, ...]
    kind: str
    start_s: float | None = None
    end_s: float | None = None
    crop: tuple[float, float, float, float] | None = None


@dataclass(kw_only=True)
class OpenedVideo(Source, Timed):
    """A source that is at hand, for as long as its unit of work lasts.

    path: local file (a copy, for remote sources). uri: the place it was opened at.
    decoder: as for `decode.open_source`.
    lost: frames that were asked for and could not be decoded. seconds: spent, by stage.
    """

    path: str
    uri: str
    decoder: str = "auto"
    lost: list[int] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """The frames at the ascending `indices`, in order, each once; one that can not be decoded is left out.

        The decoder is chosen as for mining: decord where it can be relied on, and PyAV for what it does not deliver
        (their pixels are equal there). Raises SegmentError if the file can not be opened.
        """
        wanted = [int(index) for index in indices]
        delivered: set[int] = set()
        used = yield from self._delivered(wanted, self.decoder, delivered)
        wanted = [index for index in wanted if index not in delivered]
        if wanted and used == "decord":
            yield from self._delivered(wanted, "pyav", delivered)
        self.lost += [index for index in wanted if index not in delivered]

    def _delivered(self, wanted: list[int], decoder: str, delivered: set[int]) -> Generator[Frame, None, str]:
        """Frames until the decoder gives up, noted in `delivered`; returns the decoder's name."""
        with self.timed("open"):
            reader = open_source(self.path, self.kind, decoder)
        with reader:
            frames = iter(reader.frames(wanted))
            while True:
                try:
                    with self.timed("decode"):
                        frame = next(frames, None)
                except SegmentError:
                    frame = None
                if frame is None:
                    return reader.decoder
                delivered.add(frame.index)
                yield frame


@contextmanager
def opened_video(source: Source, decoder: str = "auto") -> Iterator[OpenedVideo]:
    """The first of the source's places that still holds its bytes, opened.

    Raises SegmentError (stage "open") if none does.
    """
    place = _place_of(source)
    with local_copy(place, content=content_of(source.video_id)) as path:
        yield OpenedVideo(**vars(source), path=path, uri=place, decoder=decoder)


def _place_of(source: Source) -> str:
    content = content_of(source.video_id)
    complaint = ""
    for place in source.places:
        try:
            with opened(place) as (file, size):
                if content_id(file, size) == content:
                    return place
            found = "another file than the one that was mined lies there"
        except OSError as error:
            found = explain(error, place)
        complaint = complaint or found
    raise segment_error("open", complaint, "", "Missing")


def sources_of(run: str) -> dict[str, Source]:
    """Every video of a run's plan by its video_id, with all places where it, or a copy of it, was seen.

    Mining it again from where it has moved to adds a place, and mines nothing. Raises UserError if `run` is no run, or
    its plan is damaged.
    """
    plan = open_run_folder(run).table(PLAN_FILE, PLAN_REMEDY)
    found: dict[str, Source] = {}
    for row in (pl.DataFrame() if plan is None else plan).reverse().iter_rows(named=True):
        if row["status"] not in ("planned", "duplicate"):
            continue
        if row["video_id"] in found:
            found[row["video_id"]].places += (row["uri"],)
        else:
            found[row["video_id"]] = Source(
                video_id=row["video_id"],
                places=(row["uri"],),
                kind=row["kind"],
                start_s=row["start_s"],
                end_s=row["end_s"],
                crop=None if row["crop"] is None else tuple(row["crop"]),
            )
    return found
