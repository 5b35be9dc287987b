"""Progress lines and bars, from real clocks and a real pseudo-terminal."""

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
import time
from collections.abc import Sequence
from typing import Any

import pytest

from lpff_ray.errors import Failure
from lpff_ray.monitoring.progress import Phase, Progress, clock
from lpff_ray.plan.segment import Segment
from lpff_ray.plan.video import Video
from lpff_ray.run.lease import Lease, Receipt

SEGMENT = Segment("v-00000", Video("v", "v.mp4", "video", 1, "planned"), 0, 0, 10)
LEASE = Lease(SEGMENT)
FAILURE = Failure("decode", "X", "x")


def receipt(frames: int = 10, faces: int = 5) -> Receipt:
    return Receipt(LEASE, faces=faces, frames_looked_at=frames)


class Ear:
    """A listener that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def receipt(self, receipt: Receipt) -> None:
        self.heard.append("receipt")

    def retry(self, lease: Lease, failure: Failure, again: Sequence[Lease]) -> None:
        self.heard.append(f"retry {len(again)}")

    def quarantined(self, lease: Lease, failure: Failure) -> None:
        self.heard.append("quarantined")

    def in_flight(self, leases: int) -> None:
        self.heard.append(f"in flight {leases}")


def test_first_line_comes_at_once_and_last_at_the_end() -> None:
    stream = io.StringIO()
    with Progress(2, 20, stream=stream, every_s=60) as progress:
        assert stream.getvalue() == "mined 0/2 segments, 0 faces, 0:00 so far\n"
        progress.receipt(receipt())
        progress.receipt(receipt())
    last = stream.getvalue().splitlines()[-1]
    assert re.fullmatch(r"mined 2/2 segments, 10 faces, [\d.]+ frames/s, [\d.]+ faces/s, took 0:00", last)


def test_lines_come_every_few_seconds_without_being_asked() -> None:
    stream = io.StringIO()
    with Progress(1, stream=stream, every_s=0.05):
        time.sleep(0.4)
        assert 4 <= len(stream.getvalue().splitlines()) <= 9
    assert "\x1b" not in stream.getvalue(), "no escape codes in a log"


def test_rates_forget_what_is_long_ago() -> None:
    with Progress(1000, 10_000, stream=io.StringIO(), every_s=60, window_s=0.2) as progress:
        for _ in range(30):
            progress.receipt(receipt(frames=1000, faces=0))
        time.sleep(0.3)
        for _ in range(20):
            time.sleep(0.02)
            progress.receipt(receipt(frames=2, faces=1))
        found = re.search(r"([\d.]+) frames/s, ([\d.]+) faces/s", progress.line())
        assert found is not None
        frames, faces = float(found[1]), float(found[2])
        assert 40 < frames < 105, "2 frames each 20 ms, on a busy machine rather less"
        assert frames == pytest.approx(2 * faces, rel=0.05)


def test_time_left_follows_the_frames() -> None:
    with Progress(100, 1000, stream=io.StringIO(), every_s=60) as progress:
        time.sleep(0.5)
        progress.receipt(receipt(frames=500))  # one segment in a hundred, but half of the frames
        assert progress.fraction() == pytest.approx(0.5)
        assert re.search(r"0:0[01] left", progress.line())


def test_photos_without_known_frames_count_by_segments() -> None:
    with Progress(4, 0, stream=io.StringIO()) as progress:
        progress.receipt(receipt(frames=1))
        assert progress.fraction() == 0.25


def test_halves_and_quarantine_settle_the_count() -> None:
    stream = io.StringIO()
    half = Lease(SEGMENT, 4, "pyav")
    with Progress(2, 20, stream=stream) as progress:
        progress.receipt(receipt())
        progress.retry(LEASE, FAILURE, [Lease(SEGMENT, 2)])
        progress.retry(LEASE, FAILURE, [half, half])
        assert progress.fraction() < 1
        progress.quarantined(half, FAILURE)
        progress.receipt(receipt())
        assert progress.fraction() == 1
    last = stream.getvalue().splitlines()[-1]
    assert last.startswith("mined 2/3 segments, 10 faces")
    assert last.endswith("2 retried, 1 quarantined")


def test_nothing_to_do_is_done() -> None:
    stream = io.StringIO()
    with Progress(0, 0, stream=stream):
        pass
    assert stream.getvalue().splitlines()[-1] == "mined 0/0 segments, 0 faces, took 0:00"


def test_listeners_hear_everything() -> None:
    ear = Ear()
    with Progress(3, stream=io.StringIO()) as progress:
        progress.listen(ear)
        progress.in_flight(2)
        progress.receipt(receipt())
        progress.retry(LEASE, FAILURE, [LEASE, LEASE])
        progress.quarantined(LEASE, FAILURE)
    assert ear.heard == ["in flight 2", "receipt", "retry 2", "quarantined"]


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
        with Progress(2, 20, stream=stream) as progress:
            progress.receipt(receipt())
            progress.note("a note")
            time.sleep(0.6)
            progress.receipt(receipt())

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
