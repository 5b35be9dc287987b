"""The messages between a worker pool and its workers (leases on items, answers to them), and a job's retry policy."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import psutil

from lpff_ray.errors import Failure, SegmentError, UserError
from lpff_ray.types import Stage

Item = TypeVar("Item")
MOST_TRACEBACK = 8_000
"""Characters kept of a traceback: its end, which names the cause."""


@dataclass(frozen=True)
class Lease(Generic[Item]):
    """One attempt at one item.

    attempt: 1 for the first. decoder: "" leaves the choice to the worker's configuration; else a decoder's name.
    cause: why the first attempt failed, without its traceback, which is in the failure log.
    """

    item: Item
    attempt: int = 1
    decoder: str = ""
    cause: Failure | None = None


class Worker(Protocol):
    """Works on items, several at once, each in a thread of its own.

    `run` returns the result of a lease. It raises SegmentError if something is wrong with the item, UserError for what
    concerns the whole job (a full disk), and anything else for a bug. A worker may also have `check()`, which raises if
    the worker itself is broken (its models fail on an input that is known to be good).
    """

    def run(self, lease: Any) -> Any: ...


MakeWorker = Callable[[str], Worker]
"""Makes a worker on a device ("cpu", "cuda", "cuda:N"). Picklable, for it travels to other processes."""


@dataclass(frozen=True)
class Answer:
    """The outcome of a lease, as a worker sends it: a result, a failure, or a fatal error.

    failure: of the item, or, if `broken`, of the worker itself. fatal: what ends the whole job.
    rss_mb: resident memory of the worker's process afterwards, in MiB. log: lines that the worker logged meanwhile.
    """

    result: Any = None
    failure: Failure | None = None
    fatal: UserError | None = None
    broken: bool = False
    rss_mb: float = 0.0
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class WorkerLost:
    """A worker's process ended, and every lease that it held with it.

    message: why, in one line. machine_fault: why the cause is the machine and not an item (its node was lost, it ran
    low on memory); "" if it may be an item. traceback: the end of what the process wrote.
    """

    message: str
    machine_fault: str = ""
    traceback: str = ""


@dataclass(frozen=True)
class Completed(Generic[Item]):
    """An item that is done, with what the worker returned."""

    lease: Lease[Item]
    result: Any


@dataclass(frozen=True)
class GivenUp(Generic[Item]):
    """An item whose last attempt failed. failure: of the first one, which later ones may hide."""

    lease: Lease[Item]
    failure: Failure


def attempt(worker: Worker, lease: Lease[Any]) -> Answer:
    """Work on one lease: every exception of the worker becomes an answer. All executors call workers through this."""
    try:
        return Answer(worker.run(lease), rss_mb=psutil.Process().memory_info().rss / 2**20)
    except UserError as error:
        return Answer(fatal=error)
    except SegmentError as error:
        failure = replace(error.failure, traceback=error.failure.traceback or traceback_of(error))
    except Exception as error:  # noqa: BLE001  # a bug must cost one item, not the job
        failure = bug_failure(error, lease)
    # A source that can not be read is not the worker's fault; after other failures it checks whether it still works.
    if failure.stage in (Stage.MEASURE, Stage.PROCESS) and (cause := _broken(worker)):
        failure = replace(failure, message=cause[0], traceback=f"{failure.traceback}\n{cause[1]}")
        return Answer(failure=failure, broken=True)
    return Answer(failure=failure, rss_mb=psutil.Process().memory_info().rss / 2**20)


def _broken(worker: Worker) -> tuple[str, str] | None:
    """Why the worker fails its own check, and the traceback; None if it passes, or has none."""
    check = getattr(worker, "check", None)
    if check is None:
        return None
    try:
        check()
    except Exception as error:  # noqa: BLE001  # any exception means that the worker is broken
        return f"{type(error).__name__}: {one_line(error)}", traceback_of(error)
    return None


def bug_failure(error: BaseException, lease: Lease[Any]) -> Failure:
    """What is recorded of an exception that no worker should raise."""
    return Failure(Stage.PROCESS, type(error).__name__, one_line(error), lease.decoder, traceback_of(error))


def traceback_of(error: BaseException) -> str:
    """The traceback of an exception, its end if it is long."""
    return "".join(traceback.format_exception(error))[-MOST_TRACEBACK:]


def one_line(error: BaseException) -> str:
    """An exception's first line, or its class where it has no text."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
