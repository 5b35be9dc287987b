"""The command line: `lpff-ray VERB`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from lpff_ray.cli import curate as curate_verbs
from lpff_ray.cli import export as products_verbs
from lpff_ray.cli.compact import compact
from lpff_ray.cli.evaluate import app as evaluate_app
from lpff_ray.cli.models import app as models_app
from lpff_ray.cli.options import (
    Address,
    ConfigFile,
    Decoder,
    Detector,
    Device,
    Embedding,
    Every,
    Executor,
    ExecutorName,
    Fps,
    Iqa,
    Limit,
    MinDetScore,
    MinFacePx,
    Out,
    PoseVotes,
    SegmentSeconds,
    Sources,
    Videos,
    Workers,
    checked_out,
)
from lpff_ray.errors import UserError
from lpff_ray.monitoring.console import console, counted
from lpff_ray.monitoring.interrupt import INTERRUPTED

app = typer.Typer(
    name="lpff-ray",
    help="Mine faces with pose, quality and identity out of large video collections.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(models_app, name="models")
app.add_typer(evaluate_app, name="evaluate")
# typer's own copies of click's exceptions have no public name.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


@app.command()
def doctor(
    out: Annotated[str | None, typer.Option(help="Also check that this folder can be written.")] = None,
) -> None:
    """Check Python, packages, models, GPUs, Ray, memory, disk and write access; say how to mend each."""
    from lpff_ray.cli.doctor import examine

    findings = examine(out)
    for finding in findings:
        mark = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}[finding.level]
        console.print(Text.assemble(mark, f" {finding.subject}: {finding.text}"))
    if any(finding.level == "fail" for finding in findings):
        raise typer.Exit(2)


@app.command()
def demo(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Where to put the clip and the run.")] = "demo",
    executor: Executor = ExecutorName.auto,
    address: Address = "",
) -> None:
    """Make a clip from a public-domain photo, mine it, and show measured against known values."""
    from lpff_ray.cli.demo import known_against_measured, make_clip
    from lpff_ray.run.mine import mine as run_mine

    place = Path(folder)
    clip = make_clip(place / "astronaut.mp4")
    summary = run_mine([str(clip.path)], str(place / "run"), executor=executor.value, address=address)
    _print_summary(summary)
    for table in known_against_measured(clip, summary.out):
        console.print(table)
    console.print(f"clip:  {clip.path}\ntable: {summary.out}   (python: lpff_ray.scan({summary.out!r}))")
    _exit(summary, 0.0)


@app.command()
def plan(
    src: Sources,
    every: Every = None,
    fps: Fps = None,
    segment_seconds: SegmentSeconds = None,
    min_face_px: MinFacePx = None,
    config: ConfigFile = None,
    limit: Limit = None,
    videos: Videos = "",
) -> None:
    """Dry run: videos, segments, frames to look at, unreadable files, time and disk. Writes nothing."""
    from lpff_ray.config import load_config
    from lpff_ray.monitoring.progress import clock
    from lpff_ray.plan.estimate import FRAMES_PER_SECOND, estimate
    from lpff_ray.plan.segment import segments
    from lpff_ray.run.mine import plan as plan_sources
    from lpff_ray.storage.uri import file_name

    settings = load_config(
        config,
        {"every": every, "fps": fps, "segment_seconds": segment_seconds, "min_face_px": min_face_px},
    )
    found = plan_sources(src, limit, videos=videos)
    table = Table("source", "kind", "codec", "size", "seconds", "frames", "segments", "status")
    for video in found:
        table.add_row(
            file_name(video.uri) + (f" [{video.clip_id}]" if video.clip_id else ""),
            video.kind,
            video.codec,
            f"{video.width}x{video.height}" if video.width else "",
            f"{video.duration_s:.1f}" if video.duration_s else "",
            str(video.frames_expected or ""),
            str(len(segments(video, settings.segment_seconds)) or ""),
            video.status + (f": {video.reason}" if video.reason else ""),
        )
    console.print(table)
    total = estimate(found, settings, FRAMES_PER_SECOND)
    console.print(
        f"{counted(total.videos, 'video')}, {counted(total.segments, 'segment')}, "
        f"about {counted(total.frames, 'frame')} to look at; "
        f"about {clock(total.seconds)} for one worker of two cores, about {total.disk_bytes / 2**20:.1f} MB "
        "of tables at one face per frame"
    )


@app.command()
def mine(
    src: Sources,
    out: Annotated[str, typer.Option(help="Folder or fsspec URI of the tables.")],
    executor: Executor = ExecutorName.auto,
    address: Address = "",
    every: Every = None,
    fps: Fps = None,
    limit: Limit = None,
    videos: Videos = "",
    device: Device = "auto",
    workers: Workers = None,
    config: ConfigFile = None,
    segment_seconds: SegmentSeconds = None,
    min_face_px: MinFacePx = None,
    min_det_score: MinDetScore = None,
    decoder: Decoder = None,
    detector: Detector = None,
    pose_votes: PoseVotes = None,
    embedding: Embedding = None,
    iqa: Iqa = None,
    max_quarantine: Annotated[
        float, typer.Option(min=0, max=1, help="Share of segments that may fail before the exit code is 1.")
    ] = 0.01,
    retry_quarantined: Annotated[bool, typer.Option(help="Try segments again that were given up.")] = False,
) -> None:
    """Mine faces. Run the same command again to resume."""
    from lpff_ray.config import load_config
    from lpff_ray.run.mine import mine as run_mine

    settings = load_config(
        config,
        {
            "every": every,
            "fps": fps,
            "segment_seconds": segment_seconds,
            "min_face_px": min_face_px,
            "min_det_score": min_det_score,
            "decoder": decoder and decoder.value,
            "detector": detector,
            "pose_votes": None if pose_votes is None else [name for name in pose_votes.split(",") if name],
            "embedding": embedding,
            "iqa": iqa,
        },
    )
    summary = run_mine(
        src,
        checked_out(out),
        settings,
        executor=executor.value,
        address=address,
        device=device,
        workers=workers,
        limit=limit,
        retry_quarantined=retry_quarantined,
        videos=videos,
    )
    _print_summary(summary)
    _exit(summary, max_quarantine)


@app.command()
def status(out: Out) -> None:
    """How far a run is, how fast it was, what failed."""
    from lpff_ray.cli.status import describe

    for part in describe(out):
        console.print(part)


app.command()(compact)
curate_verbs.add(app)
products_verbs.add(app)


def _print_summary(summary: Any) -> None:
    outcome = summary
    skipped = {status: count for status, count in summary.videos.items() if status != "planned"}
    console.print(
        f"{outcome.mined} segments mined now, {summary.done_before} before, of {summary.planned}; "
        f"{counted(outcome.faces, 'face')} in {counted(outcome.frames, 'frame')}"
        + "".join(f"; {count} {status.replace('_', ' ')}" for status, count in skipped.items())
        + (
            f"; {summary.quarantined} segments in quarantine: lpff-ray status {summary.out}"
            if summary.quarantined
            else ""
        )
    )


def _exit(summary: Any, max_quarantine: float) -> None:
    if summary.interrupted:
        console.print(f"interrupted with {summary.unfinished} segments left; run the same command to go on")
        sys.stdout.flush()
        # A second Ctrl-C let go of segments in flight: their threads must not hold up the end.
        os._exit(INTERRUPTED)
    if not summary.planned:
        raise UserError(f"not one of the sources can be mined; why: lpff-ray status {summary.out}")
    if summary.quarantined_share > max_quarantine:
        console.print(
            f"{summary.quarantined_segments + summary.unreadable:g} of {summary.planned + summary.unreadable} segments "
            f"and unreadable files could not be mined ({summary.quarantined_share:.1%}), more than --max-quarantine "
            f"{max_quarantine:.1%}: exit code 1"
        )
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; a UserError becomes one line on stderr and exit code 2."""
    try:
        _go_to_callers_folder()
        status = app(prog_name="lpff-ray", standalone_mode=False)
        if status == INTERRUPTED:  # typer's word for Ctrl-C
            raise KeyboardInterrupt
        sys.exit(status if isinstance(status, int) else 0)
    except UserError as error:
        print(f"lpff-ray: {error}", file=sys.stderr)
        sys.exit(2)
    except UsageError as error:
        _complain(error)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        print("lpff-ray: interrupted; run the same command to go on", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _go_to_callers_folder() -> None:
    """In a job submitted by run_cluster.sh, relative paths are its caller's."""
    folder = os.environ.get("LPFF_RAY_CWD")
    try:
        if folder:
            os.chdir(folder)
    except OSError:
        raise UserError(f"{folder}: the folder this job was submitted from is not on this node") from None


def _complain(error: Any) -> None:
    """One line for a wrong option or argument; a verb that was given nothing at all shows its help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    command = error.ctx.command_path if error.ctx else "lpff-ray"
    message = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(".")
    print(f"lpff-ray: {message}; see {command} --help", file=sys.stderr)


if __name__ == "__main__":
    main()
