"""What a worker hands back for a unit of work: small enough for Ray, complete enough for progress and blame."""

from __future__ import annotations

from dataclasses import dataclass, field

from lpff_ray.errors import Failure
from lpff_ray.plan.segment import Segment


@dataclass(frozen=True)
class Lease:
    """One attempt at one segment.

    attempt: 1 for the first.
    decoder: "" leaves the choice to the engine's configuration; otherwise "decord" or "pyav".
    """

    segment: Segment
    attempt: int = 1
    decoder: str = ""


@dataclass(frozen=True)
class Receipt:
    """The outcome of a lease: the part is committed (failure is None), or nothing was written.

    frames_looked_at: frames delivered and measured; frames_missing: asked for but not delivered.
    seconds: stage name -> seconds spent ("decode", "detect", ...).
    rss_mb: resident memory of the worker process afterwards, in MiB.
    """

    lease: Lease
    failure: Failure | None = None
    faces: int = 0
    frames_looked_at: int = 0
    frames_missing: int = 0
    decoder: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    rss_mb: float = 0.0
