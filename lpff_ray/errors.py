"""The two kinds of failure a user meets: their own mistake, and a segment that could not be mined."""

from __future__ import annotations

from dataclasses import dataclass


class UserError(Exception):
    """Bad usage, bad input or an unusable machine: shown as one line, exit code 2.

    The message names the file or option at fault and says what to do.
    """


class Unavailable(UserError):
    """A place that sources lie at (a host, a bucket, a disk) stays away. Nothing is wrong, and nothing given up: the
    same command goes on later. Shown as one line, exit code 75 (EX_TEMPFAIL of sysexits.h).
    """


@dataclass(frozen=True)
class Failure:
    """Why one attempt at an item of work (a segment, a unit of an export) failed.

    It travels through Ray, and becomes a row of `quarantine` and of the failure log.

    stage: see types.Stage. kind: exception class name, or "Timeout" | "ActorDied". message: one line, for the
    user. decoder: the one in use, "" when none was open yet. traceback: of the exception, or the end of what a process
    that died wrote; "" where there is none. place: the host, bucket or folder that may be the cause, see
    storage.places; "" if the item is.
    """

    stage: str
    kind: str
    message: str
    decoder: str = ""
    traceback: str = ""
    place: str = ""


class SegmentError(Exception):
    """Raised by a worker about the item that it works on (a segment can not be decoded, say); carries the `Failure`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.stage}: {failure.kind}: {failure.message}")
        self.failure = failure


def segment_error(
    stage: str, error: BaseException | str, decoder: str, kind: str = "", place: str = ""
) -> SegmentError:
    """A SegmentError about `error`, its message cut to one line. place: see Failure."""
    text = str(error).strip()
    message = text.splitlines()[0][:300] if text else type(error).__name__
    return SegmentError(Failure(stage, kind or type(error).__name__, message, decoder, place=place))
