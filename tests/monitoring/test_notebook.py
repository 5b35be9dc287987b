"""The bar of notebooks, in a process that looks like a notebook's kernel."""

from __future__ import annotations

import builtins
import sys
from types import ModuleType
from typing import Any

import pytest

from lpff_ray.monitoring.notebook import NotebookBar
from lpff_ray.monitoring.progress import Phase


class Cell:
    """What a cell shows: one display for each place, as it is after its last update."""

    def __init__(self) -> None:
        self.displays: list[Any] = []

    def display(self, shown: Any, display_id: bool = False) -> Cell.Handle | None:
        self.displays.append(shown)
        return Cell.Handle(self, len(self.displays) - 1) if display_id else None

    class Handle:
        def __init__(self, cell: Cell, place: int) -> None:
            self.cell, self.place = cell, place

        def update(self, shown: Any) -> None:
            self.cell.displays[self.place] = shown


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """This process looks like a notebook's kernel, without ipywidgets."""
    cell = Cell()
    package, module = ModuleType("IPython"), ModuleType("IPython.display")
    module.__dict__.update(HTML=str, display=cell.display)
    package.__dict__.update(display=module)
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    shell = type("ZMQInteractiveShell", (), {})
    monkeypatch.setattr(builtins, "get_ipython", shell, raising=False)
    return cell


def test_progress_in_a_notebook_is_one_bar_drawn_in_its_place(cell: Cell) -> None:
    with Phase("planning", 4, "videos") as phase:
        assert len(cell.displays) == 1
        assert 'value="0.0000"' in cell.displays[0]
        assert "planning 0/4 videos" in cell.displays[0]
        phase.advance(4)
    assert len(cell.displays) == 1
    assert 'value="1.0000"' in cell.displays[0]
    assert "planning 4/4 videos" in cell.displays[0]


def test_a_note_is_shown_besides(cell: Cell) -> None:
    with Phase("planning", 4, "videos") as phase:
        phase.note("a note")
    assert len(cell.displays) == 2
    assert "planning 0/4 videos" in cell.displays[0]


def test_text_is_not_taken_for_html(cell: Cell) -> None:
    bar = NotebookBar(lambda: 0.5, lambda: "<b>bold</b>")
    bar.start()
    bar.stop()
    assert "&lt;b&gt;bold&lt;/b&gt;" in cell.displays[0]
