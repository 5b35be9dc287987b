"""`lpff-ray mine`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import lpff_ray
from lpff_ray.cli.options import (
    as_json,
    checked_out,
    config_file,
    device,
    limit,
    names_of,
    option,
    pictures,
    placement,
    require,
    sequence_fps,
    sources,
    videos,
    wait_for_sources,
    workers,
)
from lpff_ray.cli.output import end_interrupted, report
from lpff_ray.cli.settings import setting_options
from lpff_ray.cli.verb import Option, Verb
from lpff_ray.errors import UserError
from lpff_ray.monitoring.wording import counted
from lpff_ray.types import VideoStatus

if TYPE_CHECKING:
    from lpff_ray.plan.sequences import Pictures
    from lpff_ray.run.mine import MineSummary


def _settings(ctx: click.Context) -> list[Option]:
    from lpff_ray.config import MineConfig, choices

    section = "Settings of the run, which decide what is in its tables"
    return setting_options(MineConfig, section, choices=choices)


@click.command(cls=Verb, settings=_settings)
@sources
@option("--out", required=True, metavar="FOLDER", help="Folder or fsspec URI of the tables.")
@config_file()
@limit
@videos
@pictures
@sequence_fps
@require
@option(
    "--max-quarantine",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    metavar="NUMBER",
    help="Share of segments that may fail before the exit code is 1.",
)
@option(
    "--retry-quarantined/--no-retry-quarantined",
    default=False,
    help="Try segments again that were given up.",
)
@option(
    "--thumbnails/--no-thumbnails",
    default=True,
    help="Keep a small picture of every face (some 4 kB) for sheet, report and review.",
)
@placement
@device
@workers
@wait_for_sources
@as_json
@click.pass_context
def mine(
    ctx: click.Context,
    sources: Sequence[str],
    out: str,
    config: Path | None,
    limit: int | None,
    videos: str,
    pictures: Pictures,
    sequence_fps: float,
    require: str,
    max_quarantine: float,
    retry_quarantined: bool,
    thumbnails: bool,
    executor: str,
    address: str,
    device: str,
    workers: int | None,
    wait_for_sources: float,
    as_json: bool,
    **settings: Any,
) -> None:
    """Mine faces. Run the same command again to resume.

    The exit code is 1 if more of the segments failed than --max-quarantine allows, 75 if a host, bucket or disk of the
    sources stayed away.
    """
    from lpff_ray.config import load_config
    from lpff_ray.run.workers import Limits

    summary = lpff_ray.mine(
        sources,
        checked_out(out),
        load_config(config, settings),
        executor=executor,
        address=address,
        device=device,
        workers=workers,
        limit=limit,
        retry_quarantined=retry_quarantined,
        videos=videos,
        pictures=pictures,
        sequence_fps=sequence_fps,
        require=names_of(require),
        limits=Limits(place_s=wait_for_sources),
        thumbnails=thumbnails,
    )
    look = (
        [f"to look at it: lpff-ray report {summary.out}"]
        if summary.planned and not summary.interrupted
        else []
    )
    report(as_json, mined(summary), [*sentences(summary, max_quarantine), *look])
    end(ctx, summary, max_quarantine)


def mined(summary: MineSummary) -> dict[str, Any]:
    """A mining run's summary as plain values."""
    return {
        **asdict(summary),
        "unreadable": summary.unreadable,
        "quarantined_share": summary.quarantined_share,
    }


def sentences(summary: MineSummary, max_quarantine: float) -> Iterator[str]:
    """A mining run's summary for a person."""
    skipped = {status: count for status, count in summary.videos.items() if status != VideoStatus.PLANNED}
    yield (
        f"{summary.mined} segments mined now, {summary.done_before} before, of {summary.planned}; "
        f"{counted(summary.faces, 'face')} in {counted(summary.frames, 'frame')}"
        + "".join(f"; {count} {status.replace('_', ' ')}" for status, count in skipped.items())
        + (
            f"; {summary.quarantined} segments in quarantine: lpff-ray status {summary.out}"
            if summary.quarantined
            else ""
        )
    )
    if summary.interrupted:
        yield f"interrupted with {summary.unfinished} segments left; run the same command to go on"
    elif summary.planned and summary.quarantined_share > max_quarantine:
        yield (
            f"{summary.quarantined_segments + summary.unreadable:g} of {summary.planned + summary.unreadable} "
            f"segments and unreadable files could not be mined ({summary.quarantined_share:.1%}), more than "
            f"--max-quarantine {max_quarantine:.1%}: exit code 1"
        )


def end(ctx: click.Context, summary: MineSummary, max_quarantine: float) -> None:
    """End the verb with the exit code that a mining run's summary asks for."""
    if summary.interrupted:
        end_interrupted()
    if not summary.planned:
        raise UserError(f"not one of the sources can be mined; why: lpff-ray status {summary.out}")
    if summary.quarantined_share > max_quarantine:
        ctx.exit(1)
