"""A mining run, from sources to tables: plan the segments, leave out those that are done, mine the rest in a pool."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from lpff_ray.config import MineConfig
from lpff_ray.decode.pictures.sequence import DEFAULT_FPS
from lpff_ray.models import store
from lpff_ray.monitoring.events import Listeners
from lpff_ray.monitoring.failure_log import FailureLog
from lpff_ray.monitoring.log import kept_in
from lpff_ray.monitoring.progress import MiningProgress, Phase
from lpff_ray.plan.content import SCHEME, content_of
from lpff_ray.plan.estimate import estimate
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import AWAY_S, plan_videos
from lpff_ray.plan.segment import Segment, segments
from lpff_ray.plan.sequences import Pictures
from lpff_ray.plan.sources import expand
from lpff_ray.plan.video import Video
from lpff_ray.run.executors import AUTO, work_pool
from lpff_ray.run.lease import GivenUp, Worker
from lpff_ray.run.policy import Policy, PoolReport
from lpff_ray.run.retry import counting_s, next_leases, not_done, seconds_of
from lpff_ray.run.workers import Limits
from lpff_ray.storage.uri import absolute
from lpff_ray.tables.read import quarantine
from lpff_ray.tables.run import Run
from lpff_ray.types import MediaKind, VideoStatus

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MineSummary:
    """The result of `mine`. planned: segments in all; done_before, mined: of these, before this run and by it.

    faces, frames: measured by this run. videos: sources by status of the plan ("planned", "duplicate",
    "unreadable", "not_media", "refused"). quarantined: segments, or halves of segments, in quarantine;
    quarantined_segments: the same in whole segments, a half counting as half. unfinished: segments that an
    interrupted run left.
    """

    out: str
    planned: int
    done_before: int
    mined: int = 0
    faces: int = 0
    frames: int = 0
    retries: int = 0
    unfinished: int = 0
    interrupted: bool = False
    videos: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0
    quarantined_segments: float = 0.0

    @property
    def unreadable(self) -> int:
        """Sources that are video or photo files and can not be read."""
        return self.videos.get(VideoStatus.UNREADABLE, 0)

    @property
    def quarantined_share(self) -> float:
        """Share of the planned segments that are in quarantine, 0..1; each unreadable source counts as a segment."""
        wanted = self.planned + self.unreadable
        return (self.quarantined_segments + self.unreadable) / wanted if wanted else 0.0


def plan(
    sources: Sequence[str | Source],
    limit: int | None = None,
    out: str = "",
    videos: str = "",
    *,
    pictures: Pictures = "auto",
    sequence_fps: float = DEFAULT_FPS,
    require: Sequence[str] = (),
    scheme: int = SCHEME,
    earlier: Mapping[str, str] | None = None,
) -> list[Video]:
    """Find and probe the sources, with progress on stderr. limit: only the first so many files or clips.

    out: absolute output folder; it may be inside a folder of sources, and its files are no sources.
    videos: the folder of the videos that clip lists name; pictures, sequence_fps: what numbered pictures are; see
    `plan.sources.expand`. require: columns that every source must have a value in. scheme,
    earlier: as for `plan_videos`. A Source is taken as it is. Raises UserError for a source that does not exist or
    holds nothing.
    """
    names = [source for source in sources if isinstance(source, str)]
    given = [source for source in sources if isinstance(source, Source)]
    found = list(dict.fromkeys([*given, *expand(names, videos, pictures, sequence_fps)]))
    chosen = [source for source in found if not out or not source.uri.startswith(f"{out}/")][:limit]
    with Phase("planning", len({source.uri for source in chosen}), "files") as phase:
        return plan_videos(
            chosen,
            on_progress=lambda done, total: phase.advance(),
            scheme=scheme,
            earlier=earlier,
            wait_s=AWAY_S,
            note=phase.note,
            require=require,
        )


def mine(
    sources: Sequence[str | Path | Source] | str | Path,
    out: str | Path,
    config: MineConfig | None = None,
    *,
    executor: str = AUTO,
    address: str = "",
    workers: int | None = None,
    device: str = "auto",
    limit: int | None = None,
    retry_quarantined: bool = False,
    videos: str = "",
    pictures: Pictures = "auto",
    sequence_fps: float = DEFAULT_FPS,
    require: Sequence[str] = (),
    limits: Limits | None = None,
    thumbnails: bool = True,
) -> MineSummary:
    """Mine faces out of `sources` into the folder `out`; run again to resume.

    executor: "local" (threads of this process), "ray", or "auto": Ray inside a Ray job or with an address. address: of
    a Ray cluster. workers: threads or actors, None to fit the machine. device: "auto", "cpu", "cuda" or "cuda:N".
    limit: only the first so many files or clips. retry_quarantined: try segments again that were given up before.
    videos: the folder of the videos that clip lists name; pictures, sequence_fps: what numbered pictures are; see
    `plan.sources.expand`. require: columns of the manifest; sources without a value in one of them are refused. limits:
    deadlines and retries. thumbnails: whether to keep a small picture of every face, for people to look at; a run may
    be resumed with another value.

    Raises UserError for sources that do not exist, an optional model that is not in the model store, an `out` of
    another configuration or that can not be written, or a full disk; what was mined until then stays.
    """
    config = config or MineConfig()
    named = [sources] if isinstance(sources, (str, Path)) else sources
    for card in store.chosen(
        config.model_names
    ):  # if one is missing or wrong, fail before the sources are probed
        store.plugin_files(card)
    run = Run(str(out), config)  # likewise: another configuration, a folder that can not be written
    with kept_in(run.folder, "plan"):  # the tracebacks of what can not be read
        planned_videos = plan(
            [source if isinstance(source, Source) else str(source) for source in named],
            limit,
            absolute(str(out)).rstrip("/"),
            videos,
            pictures=pictures,
            sequence_fps=sequence_fps,
            require=require,
            scheme=run.content_scheme,
            earlier=run.earlier_contents(),
        )
    run.begin()
    run.commit_plan(planned_videos)
    if retry_quarantined:
        run.forget_quarantined()
    planned = [segment for video in planned_videos for segment in segments(video, config.segment_seconds)]
    done = run.done()
    left = [rest for segment in planned for rest in not_done(segment, done)]
    # Photos last: no worker is left with a long segment when the others have nothing to do.
    left.sort(key=lambda segment: segment.video.kind == MediaKind.PHOTO)
    report, faces, frames = PoolReport(), 0, 0
    if left:
        expected = round(estimate(planned_videos, config).frames * len(left) / len(planned))
        with (
            kept_in(run.folder),
            work_pool(
                executor,
                address=address,
                workers=workers,
                device=device,
                out=run.folder.root,
                limits=limits,
            ) as pool,
            MiningProgress(len(left), expected) as progress,
        ):
            log.info("%d of %d segments to mine, %s", len(left), len(planned), config)
            failures = FailureLog(run.folder, name_of, uri_of)
            listeners = Listeners(progress, failures, *pool.executor.listeners())
            make_worker = functools.partial(make_miner, config, run.folder.root, thumbnails=thumbnails)
            with closing(pool.map(left, make_worker, POLICY, listeners)) as ended, closing(failures):
                for end in ended:
                    if isinstance(end, GivenUp):
                        run.commit_quarantine(end.lease.item, end.failure, end.lease.attempt, failures.name)
                    else:
                        faces += end.result.faces
                        frames += end.result.frames_looked_at
            report = pool.report
            log.info("%s", report)
    lost = _in_quarantine(run, planned)
    return MineSummary(
        out=run.folder.root,
        planned=len(planned),
        done_before=len(planned) - len(left),
        mined=report.completed,
        faces=faces,
        frames=frames,
        retries=report.retries,
        unfinished=report.unfinished,
        interrupted=report.interrupted,
        videos=dict(Counter(sorted(str(video.status) for video in planned_videos))),
        quarantined=len(lost),
        quarantined_segments=sum(lost),
    )


def make_miner(config: MineConfig, out: str, device: str, thumbnails: bool = True) -> Worker:
    """A worker that mines segments. Raises UserError if a model's file is missing or the device is absent."""
    from lpff_ray.run.miner import SegmentMiner  # not above: a driver on Ray needs no models

    return SegmentMiner(config, out, device, thumbnails)


def name_of(segment: Segment) -> str:
    """A segment's name in messages of the pool."""
    return segment.segment_id


def uri_of(segment: Segment) -> str:
    """The URI of a segment's video."""
    return segment.video.uri


def address_of(segment: Segment) -> str:
    """The URI that opens a segment's video, whose place may be away; it may hold a password: for memory alone."""
    return segment.video.address


def group_of(segment: Segment) -> str:
    """What segments of the same file share: its content id."""
    return content_of(segment.video.video_id)


def counts(segment: Segment) -> bool:
    """Whether a segment counts towards recycling its worker: decoders of videos leak memory, photos do not."""
    return segment.video.kind != MediaKind.PHOTO


POLICY: Policy[Segment] = Policy(
    worker="miner",
    items="segments",
    name_of=name_of,
    retry=next_leases,
    seconds_of=seconds_of,
    extra_s=counting_s,
    counts=counts,
    uri_of=address_of,
    group_of=group_of,
)
"""How a pool treats segments."""


def _in_quarantine(run: Run, planned: Sequence[Segment]) -> list[float]:
    """For each planned segment, or half of one, that is in quarantine: 1.0, or 0.5 for a half."""
    wanted = {segment.segment_id for segment in planned}
    found = quarantine(run.folder.root)["segment_id"]
    return [1.0 if name in wanted else 0.5 for name in found if name in wanted or name[:-1] in wanted]
