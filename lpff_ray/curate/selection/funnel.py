"""How many faces every step of a selection leaves, in all and by bin."""

from __future__ import annotations

import polars as pl


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
