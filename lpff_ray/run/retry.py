"""Retry steps: what is tried after an attempt at a segment failed, and when it is given up.

    attempt 1   the decoder that the configuration chooses
    attempt 2   the same decoder again: most failures of a large run are temporary ones of the machine or the store
    attempt 3   another decoder
    attempt 4   the two halves of the segment, each once, with the last resort: one bad packet costs half as much then

A segment whose last attempt failed goes to `quarantine`. Steps that can not change the outcome are left out:

- a photo has one decoder and no halves, so it is given up after attempt 2;
- "open": the file did not open. One more attempt, for a temporary failure of the store. After it, only a lease that
  names another decoder than the last resort goes on: without a name all decoders were tried already, and a half opens
  no better than the whole;
- the worker was lost (it died, or was stopped past its deadline): this was found out by trying the segment alone, so it
  is not tried the same way again: another decoder at once, then the halves;
- "commit": the part could not be written. Neither the decoder nor the length matters, so three attempts with the same
  decoder.

All executors take the same steps, so whether a segment is given up does not depend on where it is mined.
"""

from __future__ import annotations

from lpff_ray.decode.frame_source import NS
from lpff_ray.decode.registry import AUTO, alternative_to, last_resort
from lpff_ray.errors import Failure
from lpff_ray.plan.segment import Segment
from lpff_ray.run.lease import Lease
from lpff_ray.types import MediaKind, Stage

LOSSES = ("ActorDied", "Timeout")
"""Kinds of failures that cost a worker."""
LAST_ATTEMPT = 4
"""Attempts at any one stretch of video, its halves included, at most."""


COUNTED_PIXELS_PER_S = 10_000_000
"""Pixels decoded in a second without being shown, on a busy machine: a tenth of what one core was seen to do."""


def next_leases(lease: Lease[Segment], failure: Failure) -> list[Lease[Segment]]:
    """The leases that replace `lease`, which failed: one, two (halves), or none (quarantine).

    Every lease returned has a higher attempt than `lease`, at most LAST_ATTEMPT, so the steps end. The
    segments returned cover exactly the time of `lease.item`.
    """
    attempt = lease.attempt + 1
    used = failure.decoder or lease.decoder
    if attempt > LAST_ATTEMPT:
        return []
    if failure.kind in LOSSES and lease.item.video.kind != MediaKind.PHOTO:
        if attempt == 2:
            return [Lease(lease.item, attempt, alternative_to(used))]
        return _halves(lease, attempt)
    if attempt == 2:
        return [Lease(lease.item, attempt, used)]
    if failure.stage == Stage.COMMIT:
        return [Lease(lease.item, attempt, used)] if attempt == 3 else []
    if lease.item.video.kind == MediaKind.PHOTO:
        return []
    if failure.stage == Stage.OPEN and (attempt > 3 or used in ("", AUTO, last_resort())):
        return []
    if attempt == 3:
        return [Lease(lease.item, attempt, alternative_to(used))]
    return _halves(lease, attempt)


def _halves(lease: Lease[Segment], attempt: int) -> list[Lease[Segment]]:
    middle = middle_ns(lease.item)
    if middle is None or lease.item.is_half:
        return []
    return [Lease(half, attempt, last_resort()) for half in lease.item.halves(middle)]


def span_ns(segment: Segment) -> tuple[int, int] | None:
    """First and last presentation time of a segment, open ends closed by the video's own; None if unknown."""
    video = segment.video
    start, end = segment.start_ns, segment.end_ns
    if start is None:
        start = video.first_pts_ns + round((video.start_s or 0.0) * NS)
    if end is None:
        ends = [seconds for seconds in (video.duration_s, video.end_s) if seconds]
        end = video.first_pts_ns + round(min(ends) * NS) if ends else start
    return (start, end) if end > start else None


def seconds_of(segment: Segment) -> float:
    """Seconds of video in a segment, without long gaps between frames: 0 for a photo, 30 where it is not known."""
    if segment.video.kind == MediaKind.PHOTO:
        return 0.0
    span = span_ns(segment)
    if span is None:
        return 30.0
    start, end = span
    without = sum(max(0, min(after, end) - max(before, start)) for before, after in segment.video.gaps_ns)
    return (end - start - without) / NS


def counting_s(segment: Segment) -> float:
    """Seconds that a segment may take in addition, since all of its video may have to be decoded for its frames."""
    video = segment.video
    return (
        video.frames_expected * video.width * video.height / COUNTED_PIXELS_PER_S if video.is_counted else 0.0
    )


def middle_ns(segment: Segment) -> int | None:
    """Where to split a segment in two: the keyframe nearest to its middle, or the middle itself.

    From a keyframe on, the second half decodes without the packets of the first, which may be the bad ones.
    None if the segment's duration is unknown or too short to split.
    """
    span = span_ns(segment)
    if span is None:
        return None
    start, end = span
    middle = (start + end) // 2
    inside = [pts for pts in segment.video.keyframe_pts_ns if start < pts < end]
    middle = min(inside, key=lambda pts: abs(pts - middle), default=middle)
    return middle if start < middle < end else None


def not_done(segment: Segment, done: set[str]) -> list[Segment]:
    """What is left of a segment: nothing, the half that is not done, or all of it.

    done: ids of the segments, or halves, that have a part. A segment of which one half is done must not be mined
    whole: the rows of that half would be there twice.
    """
    halves_done = done.intersection(segment.half_ids)
    if segment.segment_id in done or len(halves_done) == 2:
        return []
    # Only for the few segments that were split: it goes through all keyframes of the video.
    middle = middle_ns(segment) if halves_done else None
    if middle is None:
        return [segment]
    return [half for half in segment.halves(middle) if half.segment_id not in done]
