"""What a run of the benchmark measured."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any

from benchmarks.speed.roofline import Roofline


@dataclass
class Timed:
    """The runs of one contestant on one set of so many frames. peaks: MiB of the whole process tree."""

    frames: int
    seconds: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    reported: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Source frames per second, the median."""
        return self.frames / statistics.median(self.seconds)


@dataclass
class Result:
    """What was measured on one set with one stride. frames: of its clips."""

    name: str
    every: int
    frames: int
    contestants: dict[str, Timed]
    roofline: Roofline
