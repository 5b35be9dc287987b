"""From sources to videos: every file is looked at once, and nothing is decoded but a frame for its size."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from lpff_ray.decode.pictures.sequence import DEFAULT_FPS
from lpff_ray.plan.content import SCHEME, FileContent, inspect
from lpff_ray.plan.crop import unit_of
from lpff_ray.plan.duplicates import without_false_duplicates
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.sequences import at_rate, inspect_sequence
from lpff_ray.plan.video import Video
from lpff_ray.storage.places import place_of
from lpff_ray.storage.redaction import redacted, redacted_text
from lpff_ray.types import MediaKind, VideoStatus

AWAY_S = 60.0
"""How long a host that does not answer while the plan is made is asked again."""
TRIES = 2


def plan_videos(
    sources: Sequence[Source],
    on_progress: Callable[[int, int], None] | None = None,
    workers: int = 8,
    *,
    scheme: int = SCHEME,
    earlier: Mapping[str, str] | None = None,
    wait_s: float = 0.0,
    note: Callable[[str], None] = lambda text: None,
    require: Sequence[str] = (),
) -> list[Video]:
    """Look at every source and say what it is: one Video per source, in the order of the sources.

    What cannot be reached or read, is no media, or is the same clip of the same bytes as an earlier source
    becomes a row with that status and a reason; no source makes this raise. A file is looked at once, however
    many clips of it are asked for.

    on_progress: called with (files looked at, files in all). workers: threads. scheme: how content ids are made, see
    `content_id`. earlier: the content ids of an earlier plan of the same run, by uri. wait_s: how long files of a place
    that is away (a host that does not answer, a folder that is not there) are looked at again; note: shows a line of
    that. require: columns of the sources, such as licence: one without a value in any of them is refused.
    """
    uris = list(dict.fromkeys(source.uri for source in sources))
    sequences = frozenset(source.uri for source in sources if source.kind == MediaKind.SEQUENCE)
    contents: dict[str, FileContent] = {}
    pool = ThreadPoolExecutor(workers, thread_name_prefix="plan")
    try:
        look = functools.partial(_inspect, sequences, scheme)
        for uri, content in zip(uris, pool.map(look, uris), strict=True):
            contents[uri] = content
            if on_progress is not None:
                on_progress(len(contents), len(uris))
        _look_again(contents, pool, look, wait_s, note)
        contents = without_false_duplicates(contents, earlier or {}, pool.map)
    finally:
        # After Ctrl-C, files not begun are not waited for.
        pool.shutdown(cancel_futures=True)
    first: dict[str, str] = {}
    videos = []
    for source in sources:
        video = _video(source, contents[source.uri])
        lacking = [name for name in require if name not in dict(source.columns)]
        if video.is_planned and lacking:
            video = replace(video, status=VideoStatus.REFUSED, reason=f"it has no {' and no '.join(lacking)}")
        if video.is_planned and video.video_id in first:
            same = first[video.video_id]
            video = replace(
                video, status=VideoStatus.DUPLICATE, reason=f"same content as {same}", duplicate_of=same
            )
        elif video.is_planned:
            first[video.video_id] = video.uri
        videos.append(video)
    return videos


def _inspect(sequences: Collection[str], scheme: int, uri: str) -> FileContent:
    return inspect_sequence(uri) if uri in sequences else inspect(uri, scheme)


def _look_again(
    contents: dict[str, FileContent],
    pool: ThreadPoolExecutor,
    look: Callable[[str], FileContent],
    wait_s: float,
    note: Callable[[str], None],
) -> None:
    """Look again at files of hosts that did not answer, until they do or `wait_s` is over.

    A file of a host that did answer for others has TRIES more: it may be the only one that fails.
    """
    until, pause_s, rounds = time.monotonic() + wait_s, 1.0, 0
    noted: set[str] = set()
    while time.monotonic() + pause_s <= until:
        answered = {place_of(uri) for uri, content in contents.items() if not content.place}
        failed = [uri for uri, content in contents.items() if content.place]
        alone = [uri for uri in failed if contents[uri].place in answered and rounds < TRIES]
        away = {contents[uri].place: uri for uri in reversed(failed) if contents[uri].place not in answered}
        if not (alone or away):
            return
        for place, uri in away.items():
            if place not in noted:
                noted.add(place)
                why = redacted_text(contents[uri].reason)
                note(f"{redacted(place)} is away ({why}): asking again, {wait_s:.0f} s at most")
        time.sleep(pause_s)
        # One file of each place is enough to tell whether it is back.
        asked = dict(zip(away, pool.map(look, away.values()), strict=True))
        again = alone + [
            uri for uri in failed if contents[uri].place in asked and not asked[contents[uri].place].place
        ]
        contents.update(zip(again, pool.map(look, again), strict=True))
        pause_s, rounds = min(2 * pause_s, 8.0), rounds + 1


def _video(source: Source, content: FileContent) -> Video:
    """The row of one source, its span and crop checked against what the file holds."""
    uri = redacted(source.uri)
    video = Video(
        video_id=content.identity,
        # Tables hold UTF-8; a name that is not is shown with its odd bytes escaped.
        uri=uri.encode("utf-8", "backslashreplace").decode(),
        location=source.uri if source.uri != uri else "",
        kind="",
        size_bytes=content.size,
        status=content.status,
        reason=redacted_text(content.reason),
        clip_id=source.clip_id,
        identity=source.identity,
        start_s=source.start_s,
        end_s=source.end_s,
        requested_crop=source.crop,
        frames=source.frames,
        columns=tuple(
            (name, redacted_text(value) if isinstance(value, str) else value)
            for name, value in source.columns
        ),
    )
    if content.info is not None:
        info = content.info
        if info.kind == MediaKind.SEQUENCE:
            info = at_rate(info, source.fps or info.fps)
        # Every field of a MediaInfo is a field of a Video, by the same name.
        video = replace(video, **vars(info))
        video = _resolve_crop(_check_span(video))
    return replace(video, video_id=video.video_id + _clip_suffix(video))


def _clip_suffix(video: Video) -> str:
    """What a clip's id has after its content's: a hash of span and crop, "" for a whole video.

    Face ids begin with it, so what is hashed must never change: the crop that was asked for, as far as it lies in the
    frame, and its unit only where its numbers would be taken for the other one (see `Crop.of`); then the only frames to
    look at, and a sequence's rate, which tells its times, if it is not DEFAULT_FPS.
    """
    crop = video.requested_crop
    own_rate = video.kind == MediaKind.SEQUENCE and video.fps != DEFAULT_FPS
    if not (video.start_s or video.end_s is not None or crop or video.frames or own_rate):
        return ""
    clip: tuple[object, ...] = (video.start_s or 0.0, video.end_s, crop and crop.box)
    if crop is not None and crop.unit != unit_of(crop.box):
        clip += (str(crop.unit),)
    if video.frames:
        clip += (video.frames,)
    if own_rate:
        clip += (f"{video.fps:.6g} frames per second",)
    return "-" + hashlib.sha256(repr(clip).encode()).hexdigest()[:8]


def _check_span(video: Video) -> Video:
    start = video.start_s or 0.0
    if video.kind == MediaKind.PHOTO and start > 0:
        return replace(
            video, status=VideoStatus.UNREADABLE, reason=f"clip starts at {start:.1f} s but this is a photo"
        )
    if 0 < video.duration_s <= start:
        reason = f"clip starts at {start:.1f} s but the video lasts {video.duration_s:.1f} s"
        return replace(video, status=VideoStatus.UNREADABLE, reason=reason)
    return video


def _resolve_crop(video: Video) -> Video:
    """The crop in whole pixels of the frame; unreadable if nothing of it lies there."""
    if video.requested_crop is None or not video.width:
        return video
    inside = video.requested_crop.inside(video.width, video.height)
    if inside is None:
        crop = ", ".join(f"{number:g}" for number in video.requested_crop.box)
        reason = f"crop ({crop}) lies outside the frame of {video.width} x {video.height} pixels"
        return replace(video, status=VideoStatus.UNREADABLE, reason=reason)
    return replace(video, requested_crop=inside, crop=inside.pixels(video.width, video.height))
