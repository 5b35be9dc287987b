"""A mining run from sources to tables: plan, subtract what is done, hand the rest to an executor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lpff_ray.config import MineConfig
from lpff_ray.errors import Failure
from lpff_ray.models import store
from lpff_ray.monitoring.progress import Phase, Progress
from lpff_ray.plan.estimate import estimate
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.segment import Segment, segments
from lpff_ray.plan.sources import expand
from lpff_ray.plan.video import Video
from lpff_ray.run.lease import Lease
from lpff_ray.run.retry import not_done
from lpff_ray.storage.uri import absolute
from lpff_ray.tables import parts
from lpff_ray.tables.read import quarantine
from lpff_ray.tables.run import Run


@dataclass
class Outcome:
    """What an executor did. `unfinished` leases are left for the next run: it was interrupted."""

    mined: int = 0
    quarantined: int = 0
    retries: int = 0
    unfinished: int = 0
    frames: int = 0
    faces: int = 0
    interrupted: bool = False


@dataclass(frozen=True)
class Job:
    """What an executor is given.

    workers: threads (local) or actors (Ray), None to fit the machine or cluster.
    on_quarantine: to be called with the lease that was given up, why, and after how many attempts.
    """

    segments: Sequence[Segment]
    config: MineConfig
    out: str
    progress: Progress
    on_quarantine: Callable[[Lease, Failure, int], None]
    device: str = "auto"
    workers: int | None = None


Executor = Callable[[Job], Outcome]


@dataclass(frozen=True)
class Summary:
    """A finished run: of all planned segments, so many were done before, mined now, or given up (ever).

    videos: sources by status of the plan ("planned", "duplicate", "unreadable", "not_media").
    """

    out: str
    planned: int
    done_before: int
    outcome: Outcome
    videos: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0

    @property
    def quarantined_share(self) -> float:
        """Share of the planned segments that could not be mined, 0..1."""
        return self.quarantined / self.planned if self.planned else 0.0


def plan(srcs: Sequence[str], limit: int | None = None, out: str = "", videos: str = "") -> list[Video]:
    """Look at the sources, with progress on stderr. limit: look at the first so many files or clips only.

    out: absolute output folder; it may lie in a folder of sources, and what is in it is no source.
    videos: where the videos lie that clip lists speak of; see `sources.expand`.
    Raises UserError for a source that does not exist or holds nothing.
    """
    found = expand(srcs, videos)
    sources = [source for source in found if not out or not source.uri.startswith(f"{out}/")][:limit]
    with Phase("planning", len({source.uri for source in sources}), "files") as phase:
        return plan_videos(sources, on_progress=lambda done, total: phase.advance())


def mine(
    srcs: Sequence[str] | str,
    out: str,
    config: MineConfig | None = None,
    *,
    executor: Executor | None = None,
    device: str = "auto",
    workers: int | None = None,
    limit: int | None = None,
    retry_quarantined: bool = False,
    videos: str = "",
) -> Summary:
    """Mine faces out of `srcs` into the folder `out`; run again to resume.

    executor: who does the work: None for this process, `cluster.executor.run_ray` for a Ray cluster.
    device: "auto", "cpu", "cuda" or "cuda:N". retry_quarantined: try segments again that were given up before.
    videos: where the videos lie that clip lists speak of; see `sources.expand`.

    Raises UserError for sources that do not exist, a plug-in that is not in the model store, an `out` of another
    configuration, or a full disk; what was mined until then stays.
    """
    config = config or MineConfig()
    for card in store.chosen(config):  # missing or wrong: said before the sources are looked at
        store.plugin_files(card)
    planned_videos = plan([srcs] if isinstance(srcs, str) else srcs, limit, absolute(out).rstrip("/"), videos)
    run = Run(out, config)
    run.folder.sweep(parts.PARTS)
    run.commit_plan(planned_videos)
    if retry_quarantined:
        run.forget_quarantined()
    planned = [segment for video in planned_videos for segment in segments(video, config.segment_seconds)]
    done = run.done()
    left = [rest for segment in planned for rest in not_done(segment, done)]
    # Photos last: no worker is left with a long segment when the others have nothing to do.
    left.sort(key=lambda segment: segment.video.kind == "photo")
    outcome = Outcome()
    if left:
        share = len(left) / len(planned)
        frames = round(estimate(planned_videos, config, 1.0).frames * share)
        with Progress(len(left), frames) as progress:
            job = Job(
                left,
                config,
                run.folder.root,
                progress,
                lambda lease, failure, attempts: run.commit_quarantine(lease.segment, failure, attempts),
                device,
                workers,
            )
            outcome = (executor or _run_local)(job)
    return Summary(
        out=run.folder.root,
        planned=len(planned),
        done_before=len(planned) - len(left),
        outcome=outcome,
        videos=dict(Counter(sorted(video.status for video in planned_videos))),
        quarantined=_given_up(run, planned),
    )


def _run_local(job: Job) -> Outcome:
    from lpff_ray.run.local import run_local  # it needs the models, which a Ray driver does not

    return run_local(job)


def _given_up(run: Run, planned: Sequence[Segment]) -> int:
    """How many of the planned segments, or of their halves, are in quarantine."""
    wanted = {segment.segment_id for segment in planned}
    return sum(name in wanted or name[:-1] in wanted for name in quarantine(run.folder.root)["segment_id"])
