"""Progress lines and bars, from a clock that the test turns and a real pseudo-terminal."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import termios
import threading
from typing import Any

import pytest

from lpff_ray.errors import Failure
from lpff_ray.monitoring import progress as progress_module
from lpff_ray.monitoring.progress import MiningProgress, Phase, clock
from lpff_ray.plan.segment import Segment
from lpff_ray.plan.video import Video
from lpff_ray.run.lease import Lease
from lpff_ray.run.segment_result import SegmentResult

SEGMENT = Segment("v-00000", Video("v", "v.mp4", "video", 1, "planned"), 0, 0, 10)
LEASE = Lease(SEGMENT)
FAILURE = Failure("decode", "X", "x")


def result(frames: int = 10, faces: int = 5) -> SegmentResult:
    return SegmentResult(faces=faces, frames_looked_at=frames)


class Clock:
    """Time that passes when a test says so, for `lpff_ray.monitoring.progress`."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    passing = Clock()
    monkeypatch.setattr(progress_module, "time", passing)
    return passing


def test_first_line_comes_at_once_and_last_at_the_end(time: Clock) -> None:
    stream = io.StringIO()
    with MiningProgress(2, 20, stream=stream, every_s=60) as progress:
        assert stream.getvalue() == "mined 0/2 segments, 0 faces, 0:00 so far\n"
        time.now += 4
        progress.completed(LEASE, result())
        progress.completed(LEASE, result())
    last = stream.getvalue().splitlines()[-1]
    assert last == "mined 2/2 segments, 10 faces, 5.0 frames/s, 2.5 faces/s, took 0:04"


def test_lines_come_every_few_seconds_without_being_asked(time: Clock) -> None:
    class Ended(threading.Event):
        """Three waits pass at once; the fourth is for the end."""

        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            time.now += timeout or 0
            return super().wait(60) if len(waits) > 3 else False

    waits: list[float | None] = []
    stream = io.StringIO()
    progress = MiningProgress(1, stream=stream, every_s=5)
    progress._ended = Ended()
    with progress:
        pass
    assert waits == [5, 5, 5, 5]
    times = ["0:00 so far", "0:05 so far", "0:10 so far", "0:15 so far", "0:20 so far"]
    assert stream.getvalue().splitlines() == [f"mined 0/1 segments, 0 faces, {at}" for at in times]
    assert "\x1b" not in stream.getvalue(), "no escape codes in a log"


def test_rates_forget_what_is_long_ago(time: Clock) -> None:
    with MiningProgress(1000, 10_000, stream=io.StringIO(), every_s=60, window_s=10) as progress:
        for _ in range(30):
            progress.completed(LEASE, result(frames=1000, faces=0))
        time.now += 15
        for _ in range(20):
            time.now += 1
            progress.completed(LEASE, result(frames=2, faces=1))
        assert "2.0 frames/s, 1.0 faces/s" in progress.line()


def test_time_left_follows_the_frames(time: Clock) -> None:
    with MiningProgress(100, 1000, stream=io.StringIO(), every_s=60) as progress:
        time.now += 30
        progress.completed(LEASE, result(frames=500))  # one segment in a hundred, but half of the frames
        assert progress.fraction() == pytest.approx(0.5)
        assert "0:30 left" in progress.line()


def test_photos_without_known_frames_count_by_segments() -> None:
    with MiningProgress(4, 0, stream=io.StringIO()) as progress:
        progress.completed(LEASE, result(frames=1))
        assert progress.fraction() == 0.25


def test_halves_and_quarantine_settle_the_count() -> None:
    stream = io.StringIO()
    half = Lease(SEGMENT, 4, "pyav")
    with MiningProgress(2, 20, stream=stream) as progress:
        progress.completed(LEASE, result())
        progress.retried(LEASE, FAILURE, [Lease(SEGMENT, 2)])
        progress.retried(LEASE, FAILURE, [half, half])
        assert progress.fraction() < 1
        progress.given_up(half, FAILURE)
        progress.completed(LEASE, result())
        assert progress.fraction() == 1
    last = stream.getvalue().splitlines()[-1]
    assert last.startswith("mined 2/3 segments, 10 faces")
    assert last.endswith("2 retried, 1 quarantined")


def test_nothing_to_do_is_done() -> None:
    stream = io.StringIO()
    with MiningProgress(0, 0, stream=stream):
        pass
    assert stream.getvalue().splitlines()[-1] == "mined 0/0 segments, 0 faces, took 0:00"


def on_terminal(width: int, show: Any) -> str:
    """What `show(stream)` writes to a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    seen: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):  # Linux says EIO when the other end is closed
            while chunk := os.read(master, 4096):
                seen.append(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(slave, "w") as stream:
        show(stream)
    reader.join()
    os.close(master)
    return b"".join(seen).decode()


def test_terminal_gets_a_live_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLUMNS", raising=False)

    def show(stream: Any) -> None:
        with MiningProgress(2, 20, stream=stream) as progress:
            progress.completed(LEASE, result())
            progress.note("a note")
            progress.completed(LEASE, result())

    text = on_terminal(80, show)
    assert "━" in text
    assert all(
        len(re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", line)) <= 80 for line in re.split(r"[\r\n]+", text)
    )
    assert "a note" in text
    assert "mined 2/2 segments, 10 faces" in text
    assert "\x1b[2K" in text, "drawn over, not scrolled"


def test_phase_counts() -> None:
    stream = io.StringIO()
    with Phase("planning", 3, "videos", stream=stream, every_s=60) as phase:
        for _ in range(3):
            phase.advance()
    assert stream.getvalue() == "planning 0/3 videos\nplanning 3/3 videos\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (67.4, "1:07"), (3600, "1:00:00"), (36_061, "10:01:01")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
