"""A progress bar in a cell of a notebook, by IPython's own displays.

rich has one too, but it shows nothing where ipywidgets are not installed.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Callable
from typing import Any

REFRESH_S = 0.5


class NotebookBar:
    """A bar with a line of text, drawn anew in its place until it is stopped.

    fraction: how much is done, 0..1. line: what there is to say. Both are called from a thread.
    """

    def __init__(self, fraction: Callable[[], float], line: Callable[[], str]) -> None:
        self._fraction, self._line = fraction, line
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_drawing, name="progress", daemon=True)
        self._shown: Any = None

    def start(self) -> None:
        from IPython.display import HTML, display  # there, if this is a notebook

        self._html = HTML
        self._shown = display(self._html(self._content()), display_id=True)
        self._thread.start()

    def stop(self) -> None:
        """Draw it for the last time."""
        self._ended.set()
        self._thread.join()
        self._draw()

    def _keep_drawing(self) -> None:
        while not self._ended.wait(REFRESH_S):
            self._draw()

    def _draw(self) -> None:
        self._shown.update(self._html(self._content()))

    def _content(self) -> str:
        bar = f'<progress value="{self._fraction():.4f}" max="1" style="width: 30em"></progress>'
        return f"{bar}<br><code>{html.escape(self._line())}</code>"
