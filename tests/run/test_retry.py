"""Retry steps: what comes after a failure, and that it always ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpff_ray.decode.frame_source import NS
from lpff_ray.errors import Failure
from lpff_ray.plan.segment import Segment
from lpff_ray.plan.video import Video
from lpff_ray.run.lease import Lease
from lpff_ray.run.retry import LAST_ATTEMPT, counting_s, middle_ns, next_leases, not_done, seconds_of, span_ns

VIDEO = Video("v", "v.mp4", "video", 1, "planned", duration_s=30.0)
SEGMENT = Segment("v-00000", VIDEO, 0, 0, 20 * NS)
PHOTO = Segment("p-00000", Video("p", "p.jpg", "photo", 1, "planned"), 0, None, None)


def climb(segment: Segment, stage: str, decoder: str = "", kind: str = "X") -> list[tuple[str, int, str]]:
    """(segment_id, attempt, decoder) of every lease when each fails at `stage`, the first in `decoder`."""
    waiting, tried = [Lease(segment)], []
    while waiting:
        lease = waiting.pop(0)
        tried.append((lease.item.segment_id, lease.attempt, lease.decoder))
        used = lease.decoder or decoder
        waiting += next_leases(lease, Failure(stage, kind, "x", used))
    return tried


def test_whole_ladder() -> None:
    assert climb(SEGMENT, "decode", "decord") == [
        ("v-00000", 1, ""),
        ("v-00000", 2, "decord"),
        ("v-00000", 3, "pyav"),
        ("v-00000a", 4, "pyav"),
        ("v-00000b", 4, "pyav"),
    ]


def test_decoder_unknown_because_the_process_died() -> None:
    assert [decoder for _, _, decoder in climb(SEGMENT, "process")] == ["", "", "pyav", "pyav", "pyav"]


def test_a_video_whose_frames_are_counted_gets_time_for_it() -> None:
    fields = {"frames_expected": 1000, "width": 1000, "height": 100}
    for is_counted, seconds in ((True, 10), (False, 0)):
        video = replace(VIDEO, **fields, is_counted=is_counted)
        assert counting_s(Segment("s", video, 0, None, None)) == seconds


def test_time_without_frames_is_no_work() -> None:
    jumped = replace(VIDEO, duration_s=1e6, gaps_ns=((5 * NS, 999_990 * NS),))
    assert seconds_of(Segment("s", jumped, 0, None, None)) == 15


@pytest.mark.parametrize("kind", ["ActorDied", "Timeout"])
def test_what_cost_a_worker_is_not_tried_the_same_way_again(kind: str) -> None:
    assert climb(SEGMENT, "process", kind=kind) == [
        ("v-00000", 1, ""),
        ("v-00000", 2, "pyav"),
        ("v-00000a", 3, "pyav"),
        ("v-00000b", 3, "pyav"),
    ]
    assert climb(PHOTO, "process", kind=kind) == [("p-00000", 1, ""), ("p-00000", 2, "")]


def test_other_decoder_of_pyav_is_decord() -> None:
    assert [decoder for _, _, decoder in climb(SEGMENT, "decode", "pyav")] == [
        "", "pyav", "decord", "pyav", "pyav"
    ]  # fmt: skip


def test_photo_is_tried_twice() -> None:
    assert climb(PHOTO, "decode") == [("p-00000", 1, ""), ("p-00000", 2, "")]


def test_file_that_does_not_open_gets_one_more_chance() -> None:
    assert climb(SEGMENT, "open") == [("v-00000", 1, ""), ("v-00000", 2, "")]
    # Only where a lease was bound to decord is there something left to try.
    assert [attempt for _, attempt, _ in climb(SEGMENT, "open", "decord")] == [1, 2, 3]


def test_part_that_can_not_be_written_is_tried_three_times_whole() -> None:
    assert climb(SEGMENT, "commit") == [("v-00000", attempt, "") for attempt in (1, 2, 3)]


def test_segment_of_unknown_duration_has_no_halves() -> None:
    unknown = replace(SEGMENT, video=replace(VIDEO, duration_s=0.0), end_ns=None)
    assert [attempt for _, attempt, _ in climb(unknown, "decode")] == [1, 2, 3]


def test_open_ends_are_closed_by_the_video() -> None:
    shifted = replace(VIDEO, first_pts_ns=5 * NS)
    assert span_ns(Segment("s", shifted, 0, None, None)) == (5 * NS, 35 * NS)
    clip = replace(shifted, start_s=10.0, end_s=20.0)
    assert span_ns(Segment("s", clip, 0, None, None)) == (15 * NS, 25 * NS)
    assert span_ns(Segment("s", shifted, 0, 7 * NS, None)) == (7 * NS, 35 * NS)


@pytest.mark.parametrize(
    ("keyframes", "middle"), [((), 10.0), ((0, 8, 13), 8.0), ((0, 20), 10.0), ((0, 1), 1.0)]
)
def test_halves_meet_at_the_keyframe_nearest_to_the_middle(keyframes: tuple[int, ...], middle: float) -> None:
    video = replace(VIDEO, keyframe_pts_ns=tuple(second * NS for second in keyframes))
    assert middle_ns(replace(SEGMENT, video=video)) == middle * NS


def test_only_the_missing_half_is_left() -> None:
    first, second = SEGMENT.halves(10 * NS)
    assert not_done(SEGMENT, set()) == [SEGMENT]
    assert not_done(SEGMENT, {"v-00000"}) == not_done(SEGMENT, {"v-00000a", "v-00000b"}) == []
    assert not_done(SEGMENT, {"v-00000b"}) == [first]
    assert not_done(SEGMENT, {"v-00000a"}) == [second]
    assert not_done(PHOTO, set()) == [PHOTO]
    # Halves of halves would have no place in the count of segments.
    assert {name for name, *_ in climb(first, "decode")} == {"v-00000a"}


@given(
    start=st.integers(0, 10**10) | st.none(),
    length=st.integers(0, 10**10),
    duration=st.floats(0, 100),
    kind=st.sampled_from(["video", "photo"]),
    stages=st.lists(
        st.sampled_from(["open", "decode", "measure", "commit", "process"]), min_size=8, max_size=8
    ),
    decoders=st.lists(st.sampled_from(["", "decord", "pyav"]), min_size=8, max_size=8),
    keyframes=st.lists(st.integers(0, 2 * 10**10), max_size=5),
)
def test_ladder_ends_and_loses_no_time(
    start: int | None,
    length: int,
    duration: float,
    kind: str,
    stages: list[str],
    decoders: list[str],
    keyframes: list[int],
) -> None:
    video = Video("v", "v", kind, 1, "planned", duration_s=duration, keyframe_pts_ns=tuple(sorted(keyframes)))
    end = None if start is None else start + length
    waiting, tried = [Lease(Segment("v-00000", video, 0, start, end))], 0
    while waiting:
        lease = waiting.pop()
        failure = Failure(stages[tried % 8], "X", "x", decoders[tried % 8])
        tried += 1
        again = next_leases(lease, failure)
        assert all(lease.attempt < new.attempt <= LAST_ATTEMPT for new in again)
        if len(again) == 2:
            first, second = (new.item for new in again)
            assert (first.start_ns, second.end_ns) == (lease.item.start_ns, lease.item.end_ns)
            assert first.end_ns == second.start_ns
        else:
            assert all(new.item == lease.item for new in again)
        waiting += again
    assert tried <= LAST_ATTEMPT + 1
