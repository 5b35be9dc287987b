"""Ctrl-C and SIGTERM as a request to end early: the first drains, the second ends at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

INTERRUPTED = 130  # exit code: 128 and SIGINT, as shells have it
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """While entered, SIGINT and SIGTERM set flags instead of unwinding the program.

    requested: a signal came; begin nothing new, and let what is in flight finish.
    forced: a second one came; end at once.

    Only the main thread can receive signals: entered in any other, it changes nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self.forced = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = {name: signal.signal(name, self._handle) for name in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, handler in self._before.items():
            signal.signal(name, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # Only flags: printing from a signal handler may break into a print that is going on.
        self.forced = self.requested
        self.requested = True
