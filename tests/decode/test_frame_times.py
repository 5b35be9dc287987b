"""Times of frames are the container's where they can be true, and ascend in every case."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpff_ray.decode.frame_times import NO_TIME, believable_rate, frame_times, jump, nanoseconds, timeline

NS = 1_000_000_000
MS = Fraction(1, 1000)
RATE = Fraction(25)


def made(
    pts: Sequence[int | None],
    dts: Sequence[int | None] | None = None,
    order: Sequence[int] | None = None,
    time_base: Fraction = MS,
) -> tuple[list[float], str]:
    """Milliseconds of frames, and the note. order: the packets in presentation order, as in the file if not given."""

    def ticks(times: Sequence[int | None]) -> np.ndarray:
        return np.array([NO_TIME if time is None else time for time in times], np.int64)

    packets = np.arange(len(pts)) if order is None else np.array(order)
    keyframes = np.arange(len(pts)) == 0
    pts_ns, note = frame_times(packets, ticks(pts), ticks(dts or pts), keyframes, time_base, RATE)
    return (pts_ns / 1e6).tolist(), note


@pytest.mark.parametrize(
    ("pts", "expected"),
    [
        ([0, 40, 47, 2000, 2040], [0, 40, 47, 2000, 2040]),  # any that ascend, with pauses
        ([3500, 3540, 3580], [3500, 3540, 3580]),
        ([0, 40, 259_200_000, 259_200_040], [0, 40, 259_200_000, 259_200_040]),  # a clock that was set
    ],
)
def test_the_containers_times_are_kept(pts: list[int], expected: list[float]) -> None:
    assert made(pts) == (expected, "")


@pytest.mark.parametrize(
    ("pts", "expected", "note"),
    [
        ([0, 0, 80, 80, 160, 160], [0, 40, 80, 120, 160, 200], "are repeated"),
        ([0, 0, 20, 20], [0, 10, 20, 30], "are repeated"),
        ([7, 7, 7, 7], [7, 47, 87, 127], "are repeated"),
        ([0, 40, 80, 0, 40, 80], [0, 40, 80, 120, 160, 200], "run backwards"),
        ([0, 40, 80, 20, 60, 100], [0, 40, 80, 120, 160, 200], "run backwards"),
        ([0, 40, None, 120], [0, 40, 80, 120], "have no times"),
        ([None, None, 80, None], [0, 40, 80, 120], "have no times"),
        ([None] * 4, [0, 40, 80, 120], "states no times"),
        ([0, 40, 1_790_000_000_000, 1_790_000_000_040], [0, 40, 80, 120], "can not be true"),
    ],
)
def test_times_of_no_use_are_repaired(pts: list[int | None], expected: list[float], note: str) -> None:
    times, said = made(pts)
    assert times == expected
    assert note in said


@pytest.mark.parametrize("time_base", [Fraction(2**31), Fraction(1, 2**31)])
def test_a_rate_that_no_video_has_is_not_believed(time_base: Fraction) -> None:
    assert made(range(4), time_base=time_base)[0] == [0, 40, 80, 120]


def test_times_in_the_order_of_decoding_label_the_frames_in_their_order() -> None:
    times, note = made([40, 80, 120, 160, 200], [0, 40, 80, 120, 160], order=[0, 1, 3, 2, 4])
    assert times == [40, 80, 120, 160, 200]
    assert note


def test_decoding_times_stand_in_with_the_delay_of_a_keyframe() -> None:
    assert made([80, None, None, None], [0, 40, 80, 120], order=[0, 2, 3, 1])[0] == [80, 120, 160, 200]


@given(
    pts=st.lists(st.none() | st.integers(-(2**62), 2**62) | st.integers(-5, 5), min_size=1, max_size=30),
    seed=st.randoms(use_true_random=False),
)
def test_times_ascend_whatever_the_file_says(pts: list[int | None], seed: object) -> None:
    order = list(range(len(pts)))
    seed.shuffle(order)  # type: ignore[attr-defined]
    times, _ = made(pts, order=order)
    assert len(times) == len(pts)
    assert all(later > earlier for earlier, later in pairwise(times))


@given(
    ticks=st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=20),
    time_base=st.fractions(Fraction(1, 2**31 - 1), Fraction(1), max_denominator=2**31 - 1),
)
def test_nanoseconds_are_rounded_as_fractions_are(ticks: list[int], time_base: Fraction) -> None:
    found = nanoseconds(np.array(ticks, np.int64), time_base)
    if found is not None:
        assert found.tolist() == [round(tick * time_base * NS) for tick in ticks]


def test_what_a_plan_knows_of_frames_with_a_gap() -> None:
    pts_ns = np.array([0, 40, 80, 20_000, 20_040], np.int64) * 1_000_000
    known = timeline(pts_ns, np.array([True, False, False, True, False]), 25.0)
    assert known["gaps_ns"] == ((80_000_000, 20 * NS),)
    assert known["fps"] == pytest.approx(25)
    assert known["duration_s"] == pytest.approx(20.08)
    assert known["keyframe_pts_ns"] == (0, 20 * NS)
    assert timeline(pts_ns[:1], np.array([True]), 25.0)["duration_s"] == pytest.approx(0.04)


def test_a_jump_of_hours_is_told() -> None:
    assert jump(np.array([0, NS, 4000 * NS], np.int64)) == "its times jump by 3999 s after 1.0 s"
    assert jump(np.array([0, NS, 3000 * NS], np.int64)) == ""


def test_a_guess_at_the_time_base_is_no_rate() -> None:
    assert believable_rate(Fraction(90_000), None, Fraction(30)) == 30
    assert believable_rate(Fraction(1000), Fraction(0)) == 25
