"""Why a selection is empty, and which setting to loosen."""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl

from lpff_ray.curate.selection.gates import GATED, Level, passes_gate
from lpff_ray.errors import UserError


class NothingSelected(UserError):
    """A selection that leaves no face. funnel: as of `SelectSummary`."""

    def __init__(self, message: str, funnel: pl.DataFrame) -> None:
        super().__init__(message)
        self.funnel = funnel


def explain_empty(wanted: pl.DataFrame, levels: Mapping[str, Level], advice: str) -> str:
    """What took the last faces, and the flag that brings some back.

    wanted: the faces that would be selected if there were no gates of quality; levels: of those gates; advice: the
    method's, for when its poses are the reason.
    """
    if wanted.is_empty():
        return f"no face is in the poses it asks for: {advice}"
    failing = {
        gate: len(wanted) - len(wanted.filter(passes_gate(gate, level))) for gate, level in levels.items()
    }
    order = sorted((gate for gate in levels if failing[gate]), key=lambda gate: -failing[gate])
    if not order:  # the method needs several faces together, as verification does of one identity
        return advice
    fails = ", ".join(f"{failing[gate]} {gate} {_level_text(gate, levels[gate])}" for gate in order)
    flags = [
        _passing_flag(gate, levels[gate], wanted)
        for gate in order
        if failing[gate] > len(wanted) / 2 or gate == order[0]
    ]
    return (
        f"of {len(wanted)} in the poses it asks for fail {fails}; half of them pass "
        + ("each of " if len(flags) > 1 else "")
        + " ".join(flags)
    )


def _level_text(gate: str, level: Level) -> str:
    """A gate's level for a person."""
    if isinstance(level, Mapping):
        return "of their bins"
    side = f"{math.sqrt(level):.0f}"
    return f"{round(level, 2):.10g}" + (f" (a box of {side} x {side} px)" if gate == "min_area" else "")


def _passing_flag(gate: str, level: Level, faces: pl.DataFrame) -> str:
    """The flag that lets half of the faces pass a gate: their median in two digits, rounded so that it passes too."""
    if isinstance(level, Mapping):
        return f"--{gate.replace('_', '-')}-quantile 0"
    median = faces.select(pl.col(GATED[gate]).cast(pl.Float64).drop_nans().median()).item()
    flag = f"--{gate.replace('_', '-')}"
    if not median:
        return f"{flag} 0"
    step = 10.0 ** (math.floor(math.log10(median)) - 1)
    outwards = math.ceil if gate.startswith("max_") else math.floor
    return f"{flag} {outwards(median / step) * step:.10g}"
