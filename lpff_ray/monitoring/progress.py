"""How far a run is, on stderr: a live bar on a terminal, a plain line every few seconds in a job's log."""

from __future__ import annotations

import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, TextIO, TypeVar

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lpff_ray.errors import Failure
from lpff_ray.run.lease import Lease, Receipt

Shown = TypeVar("Shown", bound="Display")


class Listener(Protocol):
    """What happens in a run, told to whoever wants to show or count it."""

    def receipt(self, receipt: Receipt) -> None:
        """A segment was mined and committed."""

    def retry(self, lease: Lease, failure: Failure, again: Sequence[Lease]) -> None:
        """An attempt failed; the leases of `again` (two: the halves) take its place."""

    def quarantined(self, lease: Lease, failure: Failure) -> None:
        """The last attempt at a segment failed."""

    def in_flight(self, leases: int) -> None:
        """So many leases are being worked on now."""


class Display(ABC):
    """One thing shown while it goes on. Subclasses say how far it is and in what words.

    stream: where to write, stderr by default; a terminal gets the bar, anything else plain lines.
    every_s: seconds between plain lines. The first comes at once, the last at the end.
    """

    def __init__(self, *, stream: TextIO | None = None, every_s: float = 5.0) -> None:
        self._console = Console(file=stream or sys.stderr, soft_wrap=True, highlight=False)
        self._every_s = every_s
        self._live: Live | None = None
        self._ended = threading.Event()
        self._lines: threading.Thread | None = None
        self._lock = threading.RLock()
        self._began = time.monotonic()

    @abstractmethod
    def fraction(self) -> float:
        """Done, from 0 to 1."""

    @abstractmethod
    def line(self) -> str:
        """Everything there is to say, in one line."""

    def note(self, text: str) -> None:
        """Say something that is worth a line of its own."""
        with self._lock:
            self._console.print(Text(text))

    def __enter__(self: Shown) -> Shown:
        self._began = time.monotonic()
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._bar, console=self._console, refresh_per_second=2, redirect_stdout=False
            )
            self._live.start()
        else:
            self.note(self.line())
            self._lines = threading.Thread(target=self._keep_saying, name="progress", daemon=True)
            self._lines.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._live is not None:
            self._live.stop()
        if self._lines is not None:
            self._lines.join()
            self.note(self.line())

    def _keep_saying(self) -> None:
        while not self._ended.wait(self._every_s):
            self.note(self.line())

    def _bar(self) -> Table:
        bar = ProgressBar(total=1.0, completed=self.fraction(), width=min(60, self._console.width))
        rows = Table.grid()
        rows.add_row(bar)
        rows.add_row(Text(self.line()))
        return rows


class Phase(Display):
    """A count towards a total: "planning 120/4000 videos". Call `advance` from any thread."""

    def __init__(
        self, name: str, total: int, unit: str, *, stream: TextIO | None = None, every_s: float = 5.0
    ) -> None:
        super().__init__(stream=stream, every_s=every_s)
        self._name, self._total, self._unit = name, total, unit
        self._done = 0

    def advance(self, count: int = 1) -> None:
        with self._lock:
            self._done += count

    def fraction(self) -> float:
        return self._done / max(1, self._total)

    def line(self) -> str:
        return f"{self._name} {self._done}/{self._total} {self._unit}"


class Progress(Display):
    """Segments, frames/s, faces/s, time left and failures of a mining run. A `Listener`; thread-safe.

    total_segments, total_frames: what is left to do when the run starts; frames as the plan expects them, 0
        if it can not know.
    window_s: seconds of the recent past that rates are taken over, more while receipts are rare.
    """

    def __init__(
        self,
        total_segments: int,
        total_frames: int = 0,
        *,
        stream: TextIO | None = None,
        every_s: float = 5.0,
        window_s: float = 60.0,
    ) -> None:
        super().__init__(stream=stream, every_s=every_s)
        self._total, self._total_frames = total_segments, total_frames
        self._listeners: list[Listener] = []
        self._window_s = window_s
        self._done = self._frames = self._faces = self._missing = 0
        self._retries = self._given_up = self._in_flight = 0
        self._marks: deque[tuple[float, int, int, int]] = deque()

    def __enter__(self) -> Progress:
        super().__enter__()
        self._mark()
        return self

    def listen(self, listener: Listener) -> None:
        """Tell `listener`, too, of everything from now on: Ray metrics, for one, need a connection first."""
        self._listeners.append(listener)

    def receipt(self, receipt: Receipt) -> None:
        with self._lock:
            self._done += 1
            self._frames += receipt.frames_looked_at
            self._faces += receipt.faces
            self._missing += receipt.frames_missing
            self._mark()
        for listener in self._listeners:
            listener.receipt(receipt)

    def retry(self, lease: Lease, failure: Failure, again: Sequence[Lease]) -> None:
        with self._lock:
            self._retries += 1
            self._total += len(again) - 1
        for listener in self._listeners:
            listener.retry(lease, failure, again)

    def quarantined(self, lease: Lease, failure: Failure) -> None:
        with self._lock:
            self._given_up += 1
            self._mark()
        for listener in self._listeners:
            listener.quarantined(lease, failure)

    def in_flight(self, leases: int) -> None:
        self._in_flight = leases
        for listener in self._listeners:
            listener.in_flight(leases)

    def fraction(self) -> float:
        with self._lock:
            settled = self._done + self._given_up
            if settled >= self._total:
                return 1.0
            by_segments = settled / self._total
            if not self._total_frames:
                return by_segments
            # A segment given up yields no frames: it counts with the frames of an average one.
            given_up = self._given_up / self._total
            return min(0.99, self._frames / self._total_frames * (1 - given_up) + given_up)

    def line(self) -> str:
        with self._lock:
            parts = [f"mined {self._done}/{self._total} segments", f"{self._faces} faces"]
            if self._done:
                frames, faces, _ = self._rates()
                parts += [f"{frames:.1f} frames/s", f"{faces:.1f} faces/s"]
            parts.append(self._time())
            counts = {
                "in flight": self._in_flight if self.fraction() < 1 else 0,
                "retried": self._retries,
                "quarantined": self._given_up,
                "frames missing": self._missing,
            }
            parts += [f"{count} {what}" for what, count in counts.items() if count]
            return ", ".join(parts)

    def _mark(self) -> None:
        """Note the counts now, and forget marks that rates no longer need."""
        now = time.monotonic()
        self._marks.append((now, self._frames, self._faces, self._done + self._given_up))
        # Long segments come in bursts, one per worker: a few receipts must always lie in the window.
        while len(self._marks) > 16 and self._marks[1][0] < now - self._window_s:
            self._marks.popleft()

    def _rates(self) -> tuple[float, float, float]:
        """Frames, faces and settled segments per second since the oldest mark."""
        began, frames, faces, settled = self._marks[0] if self._marks else (self._began, 0, 0, 0)
        seconds = max(1e-3, time.monotonic() - began)
        done = self._done + self._given_up
        return (self._frames - frames) / seconds, (self._faces - faces) / seconds, (done - settled) / seconds

    def _time(self) -> str:
        spent = time.monotonic() - self._began
        fraction = self.fraction()
        if fraction >= 1.0:
            return f"took {clock(spent)}"
        frames, _, segments = self._rates()
        if self._total_frames and frames:
            left = (1.0 - fraction) * self._total_frames / frames
        elif segments:
            left = (1.0 - fraction) * self._total / segments
        else:
            return f"{clock(spent)} so far"
        return f"{clock(left)} left"


def clock(seconds: float) -> str:
    """Seconds as 0:07, 12:30 or 3:04:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
