"""`lpff-ray plan`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lpff_ray.cli.options import (
    as_json,
    config_file,
    limit,
    names_of,
    pictures,
    require,
    sequence_fps,
    sources,
    videos,
)
from lpff_ray.cli.output import Shown, Table, report
from lpff_ray.cli.settings import setting_options
from lpff_ray.cli.verb import Option, Verb
from lpff_ray.monitoring.wording import counted
from lpff_ray.types import MediaKind

if TYPE_CHECKING:
    from lpff_ray.config import MineConfig
    from lpff_ray.plan.sequences import Pictures
    from lpff_ray.plan.video import Video

MOST_ROWS = 50
"""Sources that are shown one by one. Of more, only those that have a reason are, and so many."""
SETTINGS = ("every", "fps", "segment_seconds", "min_face_px")


def _settings(ctx: click.Context) -> list[Option]:
    from lpff_ray.config import MineConfig

    return setting_options(MineConfig, "Settings of the run", only=SETTINGS)


@click.command(cls=Verb, settings=_settings)
@sources
@config_file()
@limit
@videos
@pictures
@sequence_fps
@require
@as_json
def plan(
    sources: Sequence[str],
    config: Path | None,
    limit: int | None,
    videos: str,
    pictures: Pictures,
    sequence_fps: float,
    require: str,
    as_json: bool,
    **settings: Any,
) -> None:
    """Dry run: videos, segments, frames to look at, unreadable files, time and disk. Writes nothing."""
    from lpff_ray.config import load_config
    from lpff_ray.run.mine import plan as plan_sources

    chosen = load_config(config, settings)
    found = plan_sources(
        sources,
        limit,
        videos=videos,
        pictures=pictures,
        sequence_fps=sequence_fps,
        require=names_of(require),
    )
    result = _result(found, chosen)
    report(as_json, result, _shown(result))


def _result(videos: Sequence[Video], config: MineConfig) -> dict[str, Any]:
    """The plan: every source, and what mining them would take."""
    from lpff_ray.plan.estimate import estimate
    from lpff_ray.plan.segment import segments
    from lpff_ray.plan.sequences import ambiguous_folders

    total = estimate(videos, config)
    listed = [
        {
            "uri": video.uri,
            "clip_id": video.clip_id,
            "kind": video.kind,
            "codec": video.codec,
            "width": video.width,
            "height": video.height,
            "fps": video.fps,
            "duration_s": video.duration_s,
            "frames_expected": video.frames_expected,
            "segments": len(segments(video, config.segment_seconds)),
            "status": video.status,
            "reason": video.reason,
        }
        for video in videos
    ]
    return {
        "videos": total.videos,
        "segments": total.segments,
        "frames": total.frames,
        "seconds": total.seconds,
        "disk_bytes": total.disk_bytes,
        "sources": listed,
        "numbered_photos": dict(ambiguous_folders(videos)),
    }


def _shown(result: dict[str, Any]) -> Iterator[Shown]:
    from lpff_ray.monitoring.progress import clock
    from lpff_ray.storage.uri import file_name

    sources = result["sources"]
    listed = sources if len(sources) <= MOST_ROWS else [source for source in sources if source["reason"]]
    table = Table("source", "kind", "codec", "size", "seconds", "frames", "segments", "status")
    for source in listed[:MOST_ROWS]:
        table.add_row(
            file_name(source["uri"]) + (f" [{source['clip_id']}]" if source["clip_id"] else ""),
            source["kind"],
            source["codec"],
            f"{source['width']}x{source['height']}" if source["width"] else "",
            f"{source['duration_s']:.1f}" if source["duration_s"] else "",
            str(source["frames_expected"] or ""),
            str(source["segments"] or ""),
            source["status"] + (f": {source['reason']}" if source["reason"] else ""),
        )
    if listed:
        yield table
    if len(sources) > MOST_ROWS:
        counts = Counter(str(source["status"]) for source in sources)
        statuses = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in counts.most_common())
        yield (
            f"{counted(len(sources), 'source')}: {statuses}; "
            f"{min(len(listed), MOST_ROWS)} of {len(listed)} with something to say are shown, --json lists all"
        )
    rates = sorted({source["fps"] for source in sources if source["kind"] == MediaKind.SEQUENCE})
    if rates:
        clips = sum(source["kind"] == MediaKind.SEQUENCE for source in sources)
        yield (
            f"taken for {counted(clips, 'clip')}: folders and zips of numbered pictures, at "
            f"{', '.join(f'{rate:g}' for rate in rates)} frames per second; as photos: --pictures photos"
        )
    numbered = result["numbered_photos"]
    if numbered:
        folder, count = next(iter(numbered.items()))
        more = f" and {counted(len(numbered) - 1, 'folder')} more" if len(numbered) > 1 else ""
        yield (
            f"taken for photos: {count} numbered pictures of {folder}{more}; if they are the frames of clips: "
            "--pictures sequences"
        )
    yield (
        f"{counted(result['videos'], 'video')}, {counted(result['segments'], 'segment')}, "
        f"about {counted(result['frames'], 'frame')} to look at; "
        f"about {clock(result['seconds'])} for one worker of two cores, "
        f"about {result['disk_bytes'] / 2**20:.1f} MB of tables and thumbnails at one face per frame"
    )
