"""`lpff-ray status`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from lpff_ray.cli.options import as_json, option, out
from lpff_ray.cli.output import Shown, Table, report
from lpff_ray.cli.verb import Verb
from lpff_ray.monitoring.wording import counted

if TYPE_CHECKING:
    from lpff_ray.tables.failure_causes import FailureCause
    from lpff_ray.tables.status import RunStatus

MOST_PROBLEMS = 20


@click.command(cls=Verb)
@out
@option("--failures", is_flag=True, help="Also show what failed by cause, the most frequent first.")
@as_json
def status(out: str, failures: bool, as_json: bool) -> None:
    """How far a run is, how fast it was, what failed."""
    from lpff_ray.tables.failure_causes import failure_causes
    from lpff_ray.tables.status import status as status_of

    found = status_of(out)
    causes = failure_causes(out) if failures else []
    result = found.to_dict()
    if failures:
        result["failures"] = [asdict(cause) for cause in causes]
    report(as_json, result, [*_shown(found, failures), *(_causes(out, causes) if failures else ())])


def _shown(status: RunStatus, with_causes: bool) -> Iterator[Shown]:
    yield (
        f"{status.out}: {status.segments_done} of {status.segments_planned} segments mined, "
        f"{status.quarantined} in quarantine; "
        + ", ".join(f"{counted(count, 'video')} {name}" for name, count in status.videos.items())
    )
    if status.seconds > 0:
        yield (
            f"{status.faces} faces in {status.frames} frames ({status.frames_missing} frames missing, "
            f"{status.faces_rejected} detections rejected); {status.frames_per_second:.1f} frames/s per thread"
        )
        table = Table("stage", "seconds", "share", "ms per frame", "ms per face", title="Where the time went")
        for stage in status.stages:
            figures = f"{stage.ms_per_frame:.2f}", f"{stage.ms_per_face:.2f}"
            table.add_row(stage.stage, f"{stage.seconds:.1f}", f"{stage.share:.0%}", *figures)
        yield table
    if status.quarantined and not with_causes:
        yield f"what failed by cause: lpff-ray status {status.out} --failures"
    if status.problems:
        table = Table("source", "what", "why", title="What failed")
        for problem in status.problems[:MOST_PROBLEMS]:
            table.add_row(problem.uri, problem.what, problem.why)
        if len(status.problems) > MOST_PROBLEMS:
            more = len(status.problems) - MOST_PROBLEMS
            table.add_row("...", f"{more} more", "see lpff_ray.videos(OUT), lpff_ray.quarantine(OUT)")
        yield table


def _causes(out: str, causes: list[FailureCause]) -> Iterator[Shown]:
    """Two or three lines a cause: a table would break long messages and paths."""
    if not causes:
        yield "no attempt failed, as far as the logs reach"
    for cause in causes:
        where = f"{cause.stage}: {cause.kind}: {cause.message}"
        yield f"{counted(cause.count, 'failure')} of {counted(cause.items, 'segment')}: {where}"
        yield f"    {cause.quarantined} of them given up; for example {cause.uri or 'a source that is not known'}"
        if cause.log:
            what = "traceback" if cause.traceback else "details"
            yield f"    {what}: {out.rstrip('/')}/{cause.log}"
