"""When each frame is shown: the container's times where they are of use, and repaired ones where they are not.

A frame is known by its place in presentation order. Its time is what the container says of it, which may be missing,
repeated, in the order of decoding, or begin anew where two files were joined.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from lpff_ray.decode.frame_source import NS

NO_TIME = np.iinfo(np.int64).min
"""Stands for a time that is missing."""

Ticks = npt.NDArray[np.int64]

# Steps between frames that no video has: over 10,000 frames a second (the fastest cameras that people own make 1,000),
# or an hour from frame to frame. A flipped bit of a header makes such.
SHORTEST_STEP_NS = NS // 10_000
LONGEST_STEP_NS = 3600 * NS
HIGHEST_RATE = (
    480  # FFmpeg guesses the time base of a file, often 1000 or 90000 ticks a second, where it finds none
)
# Thirty years; int64 holds 292 in nanoseconds, and differences of times have to fit, too.
LONGEST_SPAN_NS = 30 * 366 * 86_400 * NS
# Without a frame for longer than this, the plan makes no segment of the time; and than this, it tells.
LONGEST_GAP_NS = 10 * NS
LONGEST_PAUSE_NS = 3600 * NS


def frame_times(
    order: npt.NDArray[np.int64],
    pts: Ticks,
    dts: Ticks,
    is_keyframe: npt.NDArray[np.bool_],
    time_base: Fraction,
    rate: Fraction,
) -> tuple[npt.NDArray[np.int64], str]:
    """Times of frames in presentation order, int64 [n] in nanoseconds, strictly ascending; and what was repaired.

    order: int64 [n], the packet of each frame in presentation order, a position in the arrays that follow.
    pts, dts: int64 [packets], presentation and decoding times in ticks of `time_base` seconds; NO_TIME where missing.
    is_keyframe: bool [packets]. rate: frames per second, used where times say nothing.
    """
    if not len(order):
        return np.zeros(0, np.int64), ""
    frame_ns = round(NS / rate)
    if (pts[order] != NO_TIME).all():
        stated = nanoseconds(pts[order], time_base)
        if stated is not None and (np.diff(stated) > 0).all() and plausible(stated):
            return stated, ""
    ticks = _filled(np.sort(order), pts, dts, is_keyframe, float(time_base * rate))
    if ticks is None:
        return _steady(len(order), frame_ns), "it states no times: its frames are timed by their rate"
    times = nanoseconds(ticks, time_base)
    if times is not None:
        # Where joined files begin anew, times fall back; within a stretch the order of frames sorts its times.
        stretches = _stretches(pts, dts, is_keyframe)
        shown = np.maximum.accumulate(stretches[order])
        made = _ascending(times[np.lexsort((times, np.sort(shown)))], frame_ns)
        if plausible(made):
            return made, f"{_complaint(pts[order])}: they are repaired by the frame rate"
    return _steady(len(order), frame_ns), "its times can not be true: its frames are timed by their rate"


def _complaint(pts: Ticks) -> str:
    """What is wrong with times in presentation order."""
    if (pts == NO_TIME).any():
        return "some of its frames have no times"
    return "its times run backwards" if (np.diff(pts) < 0).any() else "its times are repeated"


def timeline(
    pts_ns: npt.NDArray[np.int64], is_keyframe: npt.NDArray[np.bool_], rate: float
) -> dict[str, Any]:
    """What a plan has to know of a video's frames: the fields of `probe.MediaInfo` that tell of them, by name.

    pts_ns: int64 [n], ascending, n > 0. is_keyframe: bool [n]. rate: frames per second, for a video of one frame.
    """
    without = _gaps(pts_ns, LONGEST_GAP_NS)
    span_ns = int(pts_ns[-1]) - int(pts_ns[0])
    moving_ns = span_ns - sum(after - before for before, after in without)
    steps = len(pts_ns) - 1 - len(without)
    fps = steps * NS / moving_ns if steps > 0 and moving_ns > 0 else rate
    return {
        "fps": fps,
        "duration_s": (span_ns + min(NS / fps, LONGEST_GAP_NS)) / NS,
        "frames_expected": len(pts_ns),
        "first_pts_ns": int(pts_ns[0]),
        "keyframe_pts_ns": tuple(pts_ns[is_keyframe].tolist()),
        "gaps_ns": without,
    }


def jump(pts_ns: npt.NDArray[np.int64]) -> str:
    """A note if frames are hours apart, "" if not: more likely a clock that was set than a pause."""
    jumps = _gaps(pts_ns, LONGEST_PAUSE_NS)
    if not jumps:
        return ""
    before, after = jumps[0]
    return f"its times jump by {(after - before) / NS:.0f} s after {(before - int(pts_ns[0])) / NS:.1f} s"


def _gaps(pts_ns: npt.NDArray[np.int64], longest_ns: int) -> tuple[tuple[int, int], ...]:
    """Stretches of more than `longest_ns` in which no frame begins: (time of the frame before, of the one after)."""
    before = np.flatnonzero(np.diff(pts_ns) > longest_ns)
    return tuple((int(pts_ns[index]), int(pts_ns[index + 1])) for index in before)


def nanoseconds(ticks: npt.NDArray[Any], time_base: Fraction) -> npt.NDArray[np.int64] | None:
    """Ticks of `time_base` seconds as int64 nanoseconds, rounded; None if differences of them would overflow."""
    if np.abs(ticks.astype(np.float64)).max() * float(time_base) * NS > 3 * LONGEST_SPAN_NS:
        return None
    over, under = (time_base * NS).as_integer_ratio()
    if over * under > np.iinfo(np.int64).max // 2:
        return np.array([round(int(tick) * time_base * NS) for tick in ticks], np.int64)
    # The same in whole numbers, which is much faster: seconds and the like first, so that nothing overflows.
    whole, rest = np.divmod(ticks.astype(np.int64), under)
    floor, remainder = np.divmod(rest * over, under)
    floor += whole * over
    return floor + ((2 * remainder > under) | ((2 * remainder == under) & (floor % 2 == 1)))


def plausible(times: npt.NDArray[np.int64]) -> bool:
    """Whether frames at these ascending times, int64 [n] in nanoseconds, can be those of a video."""
    if len(times) < 2:
        return True
    step = float(np.median(np.diff(times)))
    return SHORTEST_STEP_NS <= step <= LONGEST_STEP_NS and int(times[-1]) - int(times[0]) <= LONGEST_SPAN_NS


def believable_rate(*rates: Fraction | None) -> Fraction:
    """The first of the rates, in frames per second, that a video can have; 25 if there is none."""
    possible = (rate for rate in rates if rate and NS / LONGEST_STEP_NS <= rate <= HIGHEST_RATE)
    return next(possible, Fraction(25))


def _steady(frames: int, frame_ns: int) -> npt.NDArray[np.int64]:
    return np.arange(frames, dtype=np.int64) * frame_ns


def _filled(
    stored: npt.NDArray[np.int64],
    pts: Ticks,
    dts: Ticks,
    is_keyframe: npt.NDArray[np.bool_],
    frames_per_tick: float,
) -> npt.NDArray[Any] | None:
    """A time in ticks for each packet of `stored` (ascending), so that these times, sorted, label the frames.

    Presentation times are the decoding times shuffled, and later by a delay that a keyframe shows. A packet without
    either lies evenly between others, or a frame's duration after the last (before the first) of them. None if no
    packet has any.
    """
    pts, dts, is_keyframe = pts[stored], dts[stored], is_keyframe[stored]
    timed, decoded = pts != NO_TIME, dts != NO_TIME
    if timed.all():
        return pts
    shows_delay = timed & decoded & is_keyframe
    delay = int(np.median((pts - dts)[shows_delay])) if shows_delay.any() else 0
    known = timed | decoded
    if not known.any():
        return None
    times = np.where(decoded, dts + delay, pts).astype(np.float64)
    places = np.arange(len(stored))
    times = np.where(known, times, np.interp(places, places[known], times[known]))
    first, last = places[known][[0, -1]]
    times[:first] = times[first] - (first - places[:first]) / frames_per_tick
    times[last + 1 :] = times[last] + (places[last + 1 :] - last) / frames_per_tick
    return np.rint(times).astype(np.int64)


def _stretches(pts: Ticks, dts: Ticks, is_keyframe: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The number of each packet's stretch: a new one begins where the clock of decoding falls back."""
    clock, known = dts, dts != NO_TIME
    if not known.any():  # keyframes are never shown before earlier ones
        clock, known = pts, (pts != NO_TIME) & is_keyframe
    falls = np.zeros(len(clock), np.int64)
    at = np.flatnonzero(known)
    falls[at[1:]] = np.diff(clock[at]) < 0
    return np.cumsum(falls)


def _ascending(times: npt.NDArray[np.int64], frame_ns: int) -> npt.NDArray[np.int64]:
    """Times in the order of their frames, made to ascend: repeated ones are spread, stretches follow each other."""
    starts = np.flatnonzero(np.diff(times, prepend=times[0] - 1))
    counts = np.diff(starts, append=len(times))
    made: list[int] = []
    shift, step = 0, frame_ns
    for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
        begin = int(times[start]) + shift
        if made and begin <= made[-1]:
            shift += made[-1] + frame_ns - begin
            begin = made[-1] + frame_ns
        room = int(times[start + count] - times[start]) if start + count < len(times) else 0
        if room > 0:
            step = max(1, min(frame_ns, room // count))
        made.extend(begin + step * place for place in range(count))
    return np.array(made, np.int64)
