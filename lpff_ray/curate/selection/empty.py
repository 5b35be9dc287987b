"""Why a selection is empty, and what to loosen."""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl

from lpff_ray.curate.selection.candidates import GATED, passes
from lpff_ray.curate.selection.rules import (
    AnyRules,
    DensityRules,
    PerBinRules,
    UniformRules,
    VerificationRules,
)
from lpff_ray.errors import UserError

_POSES: dict[type, str] = {
    PerBinRules: "--with-frontal takes frontal faces in",
    DensityRules: "a larger --max-density takes commoner poses in",
    UniformRules: "it takes what lies within max_yaw and max_pitch",
    VerificationRules: "it takes identities with min_faces usable faces",
}


class NothingSelected(UserError):
    """A selection that leaves no face. funnel: as of `SelectSummary`."""

    def __init__(self, message: str, funnel: pl.DataFrame) -> None:
        super().__init__(message)
        self.funnel = funnel


def why(wanted: pl.DataFrame, levels: Mapping[str, float], rules: AnyRules) -> str:
    """What took the last faces, and the flag that brings some back.

    wanted: the faces that would be selected if there were no gates of quality; levels: of those gates.
    """
    if wanted.is_empty():
        return f"no face is in the poses it asks for: {_POSES[type(rules)]}"
    failing = {gate: len(wanted) - len(wanted.filter(passes(gate, level))) for gate, level in levels.items()}
    order = sorted((gate for gate in levels if failing[gate]), key=lambda gate: -failing[gate])
    if not order:  # verification counts the usable faces of an identity
        return _POSES[type(rules)]
    fails = ", ".join(f"{failing[gate]} {gate} {_said(gate, levels[gate])}" for gate in order)
    mends = [_mend(gate, wanted) for gate in order if failing[gate] > len(wanted) / 2 or gate == order[0]]
    return (
        f"of {len(wanted)} in the poses it asks for fail {fails}; half of them pass "
        + ("each of " if len(mends) > 1 else "")
        + " ".join(mends)
    )


def _said(gate: str, level: float) -> str:
    """A gate's level for a person."""
    side = f"{math.sqrt(level):.0f}"
    return f"{round(level, 2):.10g}" + (f" (a box of {side} x {side} px)" if gate == "min_area" else "")


def _mend(gate: str, faces: pl.DataFrame) -> str:
    """The flag that lets half of the faces pass a gate: their median in two digits, rounded so that it passes too."""
    median = faces.select(pl.col(GATED[gate]).cast(pl.Float64).drop_nans().median()).item()
    flag = f"--{gate.replace('_', '-')}"
    if not median:
        return f"{flag} 0"
    step = 10.0 ** (math.floor(math.log10(median)) - 1)
    outwards = math.ceil if gate.startswith("max_") else math.floor
    return f"{flag} {outwards(median / step) * step:.10g}"
