"""What the verbs of the command line print: sentences and tables for a person, or one JSON object for a program."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

import polars as pl
import rich.table
from rich.console import Console, RenderableType
from rich.text import Text

from lpff_ray.monitoring.interrupt import INTERRUPTED
from lpff_ray.monitoring.wording import CONTROL, escaped
from lpff_ray.storage.redaction import redacted_text

Shown = str | Text | rich.table.Table
"""What can be printed for a person."""

LOG_WIDTH = 180
"""Columns where stdout is no terminal: a job's log has no width, and at 80 columns tables would be cut short."""


def show(parts: Iterable[Shown]) -> None:
    """Print to stdout for a person. Names of files and clips hold brackets, so nothing printed is markup."""
    width = None if sys.stdout.isatty() else LOG_WIDTH
    console = Console(highlight=False, markup=False, soft_wrap=True, width=width)
    for part in parts:
        console.print(safe(part) if isinstance(part, str) else part)


def safe(text: str) -> str:
    """A sentence or cell as a terminal may have it: no control characters but line ends, and no secrets of URIs."""
    return escaped(redacted_text(text), keep="\n")


class Table(rich.table.Table):
    """A table whose cells can hold any name."""

    def add_row(self, *cells: RenderableType | None, **style: Any) -> None:
        """As rich's; text in cells is shown on one line, its control characters written out."""
        shown = [escaped(redacted_text(cell)) if isinstance(cell, str) else cell for cell in cells]
        super().add_row(*shown, **style)


def report(as_json: bool, result: Mapping[str, Any], parts: Iterable[Shown]) -> None:
    """Print what a verb has to say: `parts` for a person, or `result` as one JSON object and nothing else."""
    if as_json:
        print(_json(plain(result)))
    else:
        show(parts)


def _json(value: Any) -> str:
    """JSON that is readable in any language; characters that a terminal would obey are `\\u001b` and the like."""
    text = redacted_text(json.dumps(value, indent=2, ensure_ascii=False))
    return CONTROL.sub(lambda found: "\n" if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


def plain(value: Any) -> Any:
    """The value as JSON has it: tables as lists of rows, dataclasses as objects, what is no finite number as null."""
    if isinstance(value, pl.DataFrame):
        return [plain(row) for row in value.to_dicts()]
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def end_interrupted() -> NoReturn:
    """End the process at once, with the exit code of an interrupted one.

    A second Ctrl-C let go of work in flight: its threads must not hold up the end.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(INTERRUPTED)
