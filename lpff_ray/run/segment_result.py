"""The result of mining a segment, for progress and summaries. It is small, since it travels through Ray."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class SegmentResult:
    """A segment whose part is committed.

    frames_looked_at: frames delivered and measured; frames_missing: asked for but not delivered.
    seconds: stage name -> seconds spent ("decode", "detect", ...).
    """

    faces: int = 0
    frames_looked_at: int = 0
    frames_missing: int = 0
    decoder: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
