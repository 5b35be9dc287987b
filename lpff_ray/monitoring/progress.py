"""Progress of a job on stderr: a live bar on a terminal or in a notebook, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, TextIO, TypeVar

from rich.console import Console, RenderableType
from rich.progress import BarColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from lpff_ray.errors import Failure
from lpff_ray.monitoring.events import PoolListener
from lpff_ray.monitoring.notebook import NotebookBar
from lpff_ray.monitoring.wording import escaped
from lpff_ray.storage.redaction import redacted_text

Shown = TypeVar("Shown", bound="Display")


class Display(ABC):
    """Shows the progress of one job while it goes on. Subclasses give the fraction and the text.

    stream: where to write, stderr by default; a terminal gets the bar, anything else plain lines.
    every_s: seconds between plain lines. The first comes at once, the last at the end.
    """

    def __init__(self, *, stream: TextIO | None = None, every_s: float = 5.0) -> None:
        self._console = Console(file=stream or sys.stderr, soft_wrap=True, highlight=False)
        self._every_s = every_s
        self._live: _LiveBar | NotebookBar | None = None
        self._ended = threading.Event()
        self._lines: threading.Thread | None = None
        self._lock = threading.RLock()
        self._began = time.monotonic()

    @abstractmethod
    def fraction(self) -> float:
        """Done, from 0 to 1."""

    @abstractmethod
    def line(self) -> str:
        """The state in one line."""

    def note(self, text: str) -> None:
        """Show a line of its own."""
        with self._lock:
            self._console.print(Text(escaped(redacted_text(text))))

    def __enter__(self: Shown) -> Shown:
        self._began = time.monotonic()
        if self._console.is_jupyter:
            self._live = NotebookBar(self.fraction, self.line)
            self._live.start()
        elif self._console.is_terminal:
            self._live = _LiveBar(self, self._console)
            self._live.start()
        else:
            self.note(self.line())
            self._lines = threading.Thread(target=self._print_lines, name="progress", daemon=True)
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

    def _print_lines(self) -> None:
        while not self._ended.wait(self._every_s):
            self.note(self.line())


class _LiveBar(RichProgress):
    """A bar, and the state in the line below it."""

    def __init__(self, shown: Display, console: Console) -> None:
        super().__init__(
            BarColumn(bar_width=min(60, console.width)),
            console=console,
            refresh_per_second=2,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._shown = shown
        self._bar = self.add_task("", total=1.0)

    def get_renderables(self) -> Iterable[RenderableType]:
        if hasattr(self, "_bar"):  # rich asks once before there is a task
            self.update(self._bar, completed=self._shown.fraction())
            yield self.make_tasks_table(self.tasks)
            yield Text(self._shown.line())


class Phase(Display, PoolListener):
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


class MiningProgress(Display, PoolListener):
    """Segments, frames/s, faces/s, time left and failures of a mining run, from the events of its pool. Thread-safe.

    total_segments, total_frames: what is left to do when the run starts; frames as the plan expects them, 0 if it
        does not know.
    window_s: seconds of the recent past that rates are taken over, more while results are rare.
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
        self._window_s = window_s
        self._done = self._frames = self._faces = self._missing = 0
        self._retries = self._given_up = self._in_flight = 0
        self._marks: deque[tuple[float, int, int, int]] = deque()

    def __enter__(self) -> MiningProgress:
        super().__enter__()
        self._mark()
        return self

    def completed(self, lease: Any, result: Any) -> None:
        """result: a run.segment_result.SegmentResult."""
        with self._lock:
            self._done += 1
            self._frames += result.frames_looked_at
            self._faces += result.faces
            self._missing += result.frames_missing
            self._mark()

    def retried(self, lease: Any, failure: Failure, replacements: Sequence[Any]) -> None:
        with self._lock:
            self._retries += 1
            self._total += len(replacements) - 1

    def given_up(self, lease: Any, failure: Failure) -> None:
        with self._lock:
            self._given_up += 1
            self._mark()

    def in_flight(self, leases: int) -> None:
        self._in_flight = leases

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
        # Long segments come in bursts, one per worker: a few results must always be in the window.
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
