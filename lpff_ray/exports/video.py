"""A source video opened again for the export: the frames that mining saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO

import polars as pl

from lpff_ray.decode import Frame, passes
from lpff_ray.decode.registry import AUTO
from lpff_ray.errors import SegmentError, segment_error
from lpff_ray.monitoring.timing import Timed
from lpff_ray.plan.content import content_id, content_of, whole_id
from lpff_ray.plan.sequences import is_sequence_of
from lpff_ray.storage.failures import explain
from lpff_ray.storage.local_copy import local_copy, local_pictures
from lpff_ray.storage.opening import opened
from lpff_ray.storage.places import silent_place
from lpff_ray.storage.redaction import redacted, redacted_text
from lpff_ray.tables.run_folder import open_run_folder, read_plan
from lpff_ray.types import MediaKind, Stage, VideoStatus


@dataclass(kw_only=True)
class VideoFile:
    """A video, photo or clip of a run as its plan knows it: what an export needs to find its frames again.

    uris: where its bytes were seen, the latest first. kind: a MediaKind. size_bytes: of the file, 0 if that
    is not known.
    start_s, end_s: the clip's span in seconds from the first frame, None for an end that is open.
    fps: frames per second, for media that do not say it themselves.
    locations: whole URIs by redacted ones, for those that hold a secret: for memory alone.
    Frames come whole even where a clip has a crop: all coordinates of the faces table are of the whole frame.
    """

    video_id: str
    uris: tuple[str, ...]
    kind: str
    size_bytes: int = 0
    start_s: float | None = None
    end_s: float | None = None
    fps: float = 0.0
    locations: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(kw_only=True)
class OpenedVideo(VideoFile, Timed):
    """A video file that is at hand, for as long as its unit of work lasts.

    path: local file (a copy, for remote ones). uri: the one of `uris` that it was opened at.
    decoder: as for `decode.open_source`.
    lost: frames that were asked for and could not be decoded. seconds: spent, by stage.
    """

    path: str
    uri: str
    decoder: str = AUTO
    lost: list[int] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """The frames at the ascending `indices`, in order, each once; one that can not be decoded is left out.

        The decoder is chosen as for mining, and what it does not deliver is asked of the last resort (their pixels are
        equal): those frames come after the others. Raises SegmentError if the file can not be opened.
        """
        missing = [int(index) for index in indices]
        for decoding in passes(self.path, self.kind, self.decoder, fps=self.fps):
            try:
                with suppress(SegmentError):  # what has not come is missing
                    yield from decoding.frames(missing)
            finally:
                for stage, seconds in decoding.seconds.items():
                    self.seconds[stage] += seconds
            missing = decoding.missing
        self.lost += missing


@contextmanager
def opened_video(video: VideoFile, decoder: str = AUTO) -> Iterator[OpenedVideo]:
    """The video file, opened at the first of its uris that still holds its bytes.

    Raises SegmentError (stage "open") if none does.
    """
    uri = _uri_of_bytes(video)
    address = video.locations.get(uri, uri)
    at_hand = local_pictures if video.kind == MediaKind.SEQUENCE else local_copy
    with at_hand(address, content_of(video.video_id)) as path:
        yield OpenedVideo(**vars(video), path=path, uri=uri, decoder=decoder)


def _uri_of_bytes(video: VideoFile) -> str:
    complaint = place = ""
    for uri in video.uris:
        try:
            if _holds(video.locations.get(uri, uri), video):
                return uri
            found = "another file than the one that was mined lies there"
        except OSError as error:
            found = redacted_text(explain(error, uri))
            if isinstance(error, PermissionError):
                found += "; if its address was signed or held a password, give the whole one with --signed"
            # Where it refuses, an address without its signature is the likelier cause: waiting would not help.
            place = place or silent_place(uri, error)
        complaint = complaint or found
    raise segment_error(Stage.OPEN, complaint, "", "Missing", place)


def _holds(address: str, video: VideoFile) -> bool:
    if video.kind == MediaKind.SEQUENCE:
        return is_sequence_of(address, content_of(video.video_id), video.size_bytes)
    with opened(address) as (file, size):
        return _has_content(file, size, video)


def _has_content(file: BinaryIO, size: int, video: VideoFile) -> bool:
    """Whether an opened file holds the bytes that were mined, whichever kind of id they got."""
    if video.size_bytes and size != video.size_bytes:
        return False
    content = content_of(video.video_id)
    if content in (content_id(file, size), content_id(file, size, scheme=1)):
        return True
    return whole_id(file, size) == content


def video_files_of(run: str, addresses: Iterable[str] = ()) -> dict[str, VideoFile]:
    """Every video of a run's plan by its video_id, with all uris at which it, or a copy of it, was seen.

    addresses: whole URIs of sources, for those of which the plan holds a redacted one.
    Mining it again from where it has moved to adds a uri, and mines nothing. Raises UserError if `run` is no run, or
    its plan is damaged.
    """
    plan = read_plan(open_run_folder(run))
    found: dict[str, VideoFile] = {}
    locations = {redacted(address): address for address in addresses}
    for row in (pl.DataFrame() if plan is None else plan).reverse().iter_rows(named=True):
        if row["status"] not in (VideoStatus.PLANNED, VideoStatus.DUPLICATE):
            continue
        if row["video_id"] in found:
            found[row["video_id"]].uris += (row["uri"],)
        else:
            found[row["video_id"]] = VideoFile(
                video_id=row["video_id"],
                uris=(row["uri"],),
                kind=row["kind"],
                size_bytes=row["size_bytes"],
                start_s=row["start_s"],
                end_s=row["end_s"],
                fps=row["fps"] or 0.0,
            )
        if row["uri"] in locations:
            found[row["video_id"]].locations[row["uri"]] = locations[row["uri"]]
    return found
