"""Have a pool work on odd segments, and look at what came of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from odd_worker import OddWorker

from lpff_ray.monitoring.events import Listeners, PoolListener
from lpff_ray.monitoring.failure_log import FailureLog
from lpff_ray.monitoring.progress import MiningProgress
from lpff_ray.plan.segment import Segment
from lpff_ray.run.executors import work_pool
from lpff_ray.run.lease import GivenUp
from lpff_ray.run.mine import POLICY, name_of, uri_of
from lpff_ray.run.policy import PoolReport
from lpff_ray.run.workers import Limits
from lpff_ray.storage.folder import Folder


@dataclass
class Pooled:
    """log: (segment_id, attempt, decoder, pid) of every lease begun. given_up: segment, kind, attempt."""

    out: Path
    report: PoolReport = field(default_factory=PoolReport)
    given_up: list[tuple[str, str, int]] = field(default_factory=list)
    text: str = ""

    @property
    def log(self) -> list[tuple[str, int, str, int]]:
        lines = (self.out / "log").read_text().split("\n")[:-1]
        return [(s, int(a), d, int(p)) for s, a, d, p in (line.split() for line in lines)]

    def attempts(self, name: str) -> list[tuple[int, str]]:
        """(attempt, decoder) of every lease on segments of the video `name`, in order."""
        return [(attempt, decoder) for found, attempt, decoder, _ in self.log if found.startswith(name)]

    def done(self) -> set[str]:
        """Names of the videos whose segment was done."""
        return {path.name.removesuffix("-00000.done") for path in self.out.glob("*.done")}


class Notes(PoolListener):
    """Hands notes on."""

    def __init__(self, on_note: Callable[[str], object]) -> None:
        self.note = on_note  # type: ignore[method-assign,assignment]


def pooled(
    executor: str,
    out: Path,
    segments: list[Segment],
    *,
    workers: int = 2,
    make_worker: Callable[[str], Any] | None = None,
    see: str = "",
    on_note: Callable[[str], object] = lambda text: None,
    **limits: Any,
) -> Pooled:
    """Work on segments with a short deadline. see: a folder that workers must see.

    on_note: called with each line that the pool shows.
    """
    found = Pooled(out)
    stream = io.StringIO()
    patience = Limits(**{"base_s": 4.0, "per_second": 0.0, "warm_up_s": 0.0, "grace_s": 10.0, **limits})
    pool = None
    try:
        with (
            work_pool(executor, workers=workers, out=see, limits=patience) as pool,
            MiningProgress(len(segments), stream=stream) as progress,
        ):
            failures = FailureLog(Folder(str(out)), name_of, uri_of)
            ended = pool.map(
                segments,
                make_worker or partial(OddWorker, str(out)),
                POLICY,
                Listeners(progress, failures, Notes(on_note)),
            )
            for end in ended:
                if isinstance(end, GivenUp):
                    found.given_up.append((end.lease.item.segment_id, end.failure.kind, end.lease.attempt))
    finally:
        found.report = pool.report if pool else found.report
        found.text = stream.getvalue()
    return found
