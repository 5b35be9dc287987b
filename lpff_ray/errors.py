"""The two kinds of failure a user meets: their own mistake, and a segment that could not be mined."""

from __future__ import annotations

from dataclasses import dataclass


class UserError(Exception):
    """Bad usage, bad input or an unusable machine: shown as one line, exit code 2.

    The message names the file or option at fault and says how to mend it.
    """


@dataclass(frozen=True)
class Failure:
    """Why one attempt at a segment did not yield its part. Travels through Ray, becomes a `quarantine` row.

    stage: "open" | "decode" | "measure" | "commit" | "process"
    kind: exception class name, or "Timeout" | "ActorDied"
    message: one line, made for a person
    decoder: decoder in use, "" when none was open yet
    """

    stage: str
    kind: str
    message: str
    decoder: str = ""


class SegmentError(Exception):
    """Raised inside the engine when a segment can not be mined; carries its `Failure`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.stage}: {failure.kind}: {failure.message}")
        self.failure = failure


def segment_error(stage: str, error: BaseException | str, decoder: str, kind: str = "") -> SegmentError:
    """A SegmentError about `error`, its message cut to one line."""
    text = str(error).strip()
    message = text.splitlines()[0][:300] if text else type(error).__name__
    return SegmentError(Failure(stage, kind or type(error).__name__, message, decoder))
