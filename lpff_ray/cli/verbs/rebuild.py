"""`lpff-ray rebuild`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import lpff_ray
from lpff_ray.cli.options import (
    argument,
    as_json,
    checked_out,
    config_file,
    device,
    option,
    placement,
    sequence_fps,
    wait_for_sources,
    workers,
)
from lpff_ray.cli.output import end_interrupted, plain, report
from lpff_ray.cli.settings import setting_options
from lpff_ray.cli.verb import Option, Verb
from lpff_ray.monitoring.wording import counted

if TYPE_CHECKING:
    from lpff_ray.curate.rebuild.rebuild import RebuildSummary

MOST_NAMED = 5
"""Clips that can not be read, by name."""


def _settings(ctx: click.Context) -> list[Option]:
    from lpff_ray.config import MineConfig, choices

    return setting_options(MineConfig, "Settings of the run", but=("every", "fps"), choices=choices)


@click.command(cls=Verb, settings=_settings)
@argument(
    "metadata",
    metavar="META...",
    nargs=-1,
    required=True,
    about="EFHQ's tables (.parquet, .csv), metadata.json files and lists of clips: files, folders, zips, fsspec URIs.",
)
@option(
    "--videos",
    required=True,
    metavar="FOLDER",
    help="Folder or fsspec URI of the downloaded videos, at any depth.",
)
@option("--out", required=True, metavar="FOLDER", help="Folder or fsspec URI of the tables.")
@option(
    "--annotations",
    multiple=True,
    metavar="FILE",
    help="CelebV-HQ's celebvhq_info.json; a file, folder or zip of VFHQ's annotations.",
)
@option("--name", default="published", show_default=True, metavar="NAME", help="What to call the selection.")
@option(
    "--min-iou",
    type=click.FloatRange(0, 1),
    default=0.3,
    show_default=True,
    metavar="NUMBER",
    help="Least overlap of a face with its published box.",
)
@sequence_fps
@config_file()
@placement
@device
@workers
@wait_for_sources
@as_json
@click.pass_context
def rebuild(
    ctx: click.Context,
    metadata: Sequence[str],
    videos: str,
    out: str,
    annotations: Sequence[str],
    name: str,
    min_iou: float,
    sequence_fps: float,
    config: Path | None,
    executor: str,
    address: str,
    device: str,
    workers: int | None,
    wait_for_sources: float,
    as_json: bool,
    **settings: Any,
) -> None:
    """Mine exactly the frames that published metadata names, and select its faces. Run it again to resume.

    The exit code is 1 if videos are missing (OUT/missing.txt lists their YouTube ids, one a line) or can not be read.
    """
    from lpff_ray.config import load_config
    from lpff_ray.run.workers import Limits

    done = lpff_ray.rebuild(
        metadata,
        videos,
        checked_out(out),
        load_config(config, settings),
        annotations=annotations,
        name=name,
        min_iou=min_iou,
        fps=sequence_fps,
        executor=executor,
        address=address,
        device=device,
        workers=workers,
        limits=Limits(place_s=wait_for_sources),
    )
    report(as_json, plain(done), _sentences(done))
    if done.interrupted:
        end_interrupted()
    if done.missing or done.unreadable or done.unannotated:
        ctx.exit(1)


def _sentences(done: RebuildSummary) -> Iterator[str]:
    yield (
        f"{counted(done.published, 'published face')} of {counted(done.clips, 'clip')}; "
        f"{counted(done.frames, 'frame')} of those at hand"
    )
    if done.interrupted:
        yield "interrupted; run the same command to go on"
        return
    if done.outcomes:
        yield ", ".join(f"{count} {outcome}" for outcome, count in sorted(done.outcomes.items()))
    if done.missing:
        yield (
            f"{counted(len(done.missing), 'video')} missing: {done.out}/missing.txt lists their ids; download them, as "
            f"with yt-dlp -a {done.out}/missing.txt, and run the same command again"
        )
    if done.unannotated:
        yield (
            f"{counted(len(done.unannotated), 'clip')} without span and box, such as {done.unannotated[0]}: give "
            "CelebV-HQ's list with --annotations celebvhq_info.json"
        )
    if done.unreadable:
        named = ", ".join(done.unreadable[:MOST_NAMED])
        yield (
            f"{counted(len(done.unreadable), 'clip')} with a video that can not be read ({named}"
            f"{', ...' if len(done.unreadable) > MOST_NAMED else ''}); why: lpff-ray status {done.out}"
        )
    if done.selection:
        yield f"lpff-ray export {done.out} --selection {done.selection} --format ... --dest ..."
