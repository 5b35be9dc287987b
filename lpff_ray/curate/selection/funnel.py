"""How many faces every step of a selection leaves, in all and by bin."""

from __future__ import annotations

import polars as pl
from rich.table import Table


class Funnel:
    """Counts of faces after each step, by bin."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, dict[str, int]]] = []

    def after(self, step: str, faces: pl.DataFrame) -> pl.DataFrame:
        """Count the faces (with their `bin`) that are left after a step, and hand them on."""
        self._steps.append((step, dict(faces.group_by("bin").len().iter_rows())))
        return faces

    def table(self) -> pl.DataFrame:
        """One row per step: step, faces, and one column per bin, names sorted."""
        bins = sorted({name for _, counts in self._steps for name in counts})
        rows = [
            {"step": step, "faces": sum(counts.values())} | {name: counts.get(name, 0) for name in bins}
            for step, counts in self._steps
        ]
        return pl.DataFrame(
            rows, schema={"step": pl.String, "faces": pl.Int64, **dict.fromkeys(bins, pl.Int64)}
        )

    def line(self) -> str:
        """All counts in one line."""
        return ", ".join(f"{sum(counts.values())} {step}" for step, counts in self._steps)


def printed(table: pl.DataFrame) -> Table:
    """The funnel for a terminal, bins without their "profile_"."""
    shown = Table(title="How many faces are left, by pose bin")
    shown.add_column("after", no_wrap=True)
    for name in table.columns[1:]:
        shown.add_column(name.removeprefix("profile_"), justify="right")
    for row in table.iter_rows():
        shown.add_row(*(str(value) for value in row))
    return shown
