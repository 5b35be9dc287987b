"""`lpff-ray demo`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
import polars as pl
from rich.box import SIMPLE_HEAD

import lpff_ray
from lpff_ray.cli.options import argument, as_json, placement
from lpff_ray.cli.output import Shown, Table, report
from lpff_ray.cli.verb import Verb
from lpff_ray.cli.verbs.mine import end, mined, sentences

if TYPE_CHECKING:
    from lpff_ray.cli.demo_clip import DemoClip, ShotErrors

COLUMNS = {
    "frame_index": "frame",
    "bbox": "x0 y0 x1 y1",
    "det_score": "score",
    **{name: name for name in ("yaw", "pitch", "roll", "pose_bin", "sharpness")},
}
"""The most telling columns of the faces table, and their headings."""
ROWS = 8


@click.command(cls=Verb)
@argument(
    "folder", metavar="[DIR]", default="demo", about="Where to put the clip and the run.  [default: demo]"
)
@placement
@as_json
@click.pass_context
def demo(ctx: click.Context, folder: str, executor: str, address: str, as_json: bool) -> None:
    """Make a clip from a public-domain photo, mine it, show measured against known values, and make a report."""
    from lpff_ray.cli.demo_clip import known_against_measured, make_clip
    from lpff_ray.tables.read import scan, segments

    clip = make_clip(Path(folder) / "astronaut.mp4")
    summary = lpff_ray.mine([str(clip.path)], str(Path(folder) / "run"), executor=executor, address=address)
    faces = scan(summary.out).collect()
    errors = known_against_measured(clip, faces)
    page = lpff_ray.report(summary.out)
    found = int(segments(summary.out)["shots"].sum())
    result = {
        "clip": str(clip.path),
        "run": mined(summary),
        "report": page,
        "faces": len(faces),
        "tracks": faces["track_id"].n_unique(),
        "shots_known": len(set(clip.shots)),
        "shots_found": found,
        "shots": [asdict(shot) for shot in errors],
    }
    shown = [*sentences(summary, 0.0), *_shown(clip, faces, errors, found, summary.out, page)]
    report(as_json, result, shown)
    end(ctx, summary, 0.0)


def _shown(
    clip: DemoClip, faces: pl.DataFrame, errors: Sequence[ShotErrors], found: int, out: str, page: str
) -> Iterator[Shown]:
    """What is known of the clip beside what the tables say, and the first rows of the faces table."""
    table = Table(
        title="Measured against known, relative to the first frame: mean and largest error", box=SIMPLE_HEAD
    )
    for name in ("shot", "found", "position, %", "size, %", "roll, deg", "blur, px", "sharpness"):
        table.add_column(name, justify="left" if name == "shot" else "right", no_wrap=True)
    for shot in errors:
        pairs = [
            f"{mean:.1f}, {most:.1f}" for mean, most in filter(None, (shot.position, shot.size, shot.roll))
        ]
        blur = [f"{shot.blur[0]:.0f} to {shot.blur[1]:.0f}"] if shot.blur else []
        sharpness = [f"{shot.sharpness[0]:.2f} to {shot.sharpness[1]:.2f}"] if shot.sharpness else []
        table.add_row(shot.shot, f"{shot.frames}/{shot.of}", *pairs, *blur, *sharpness)
    yield table
    yield f"shots: {len(set(clip.shots))} known, {found} found; tracks: {faces['track_id'].n_unique()}"
    first = Table(title=f"First of {len(faces)} faces", box=SIMPLE_HEAD)
    for heading in COLUMNS.values():
        first.add_column(heading, justify="right", no_wrap=True)
    for row in faces.head(ROWS).select(*COLUMNS).iter_rows():
        first.add_row(*map(_cell, row))
    yield first
    yield f"clip:  {clip.path}\ntable: {out}   (python: lpff_ray.scan({out!r}))\npage:  {page}"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, list):
        return " ".join(f"{number:.0f}" for number in value)
    return str(value)
