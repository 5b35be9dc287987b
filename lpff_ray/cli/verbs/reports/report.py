"""`lpff-ray report`."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lpff_ray.cli import output
from lpff_ray.cli.options import as_json, option, out
from lpff_ray.cli.verb import Verb
from lpff_ray.errors import UserError
from lpff_ray.monitoring.wording import counted

if TYPE_CHECKING:
    from lpff_ray.reports.html.report import ReportSummary


@click.command(cls=Verb)
@out
@option("--to", default="", metavar="FILE", show_default="OUT/report.html", help="Where to write it.")
@option(
    "--selection",
    "selections",
    multiple=True,
    metavar="NAME",
    show_default="all",
    help="A selection to show; may be given several times.",
)
@option(
    "--reference",
    default="",
    metavar="REFERENCE",
    show_default="each selection's own",
    help="Cameras to compare poses with: a run, a data set (folder, .zip, .json), .npz or .parquet.",
)
@option("--open", "opened", is_flag=True, help="Show it in the browser.")
@as_json
def report(out: str, to: str, selections: Sequence[str], reference: str, opened: bool, as_json: bool) -> None:
    """One HTML page to look at a run: losses, poses, people, duplicates, failures, selections. It needs no network."""
    from lpff_ray.reports.html.report import write_report

    if opened and "://" in (to or out):
        raise UserError(
            f"{to or out}: --open shows files of this machine only; write the page to one with --to"
        )
    done = write_report(out, to, selections=selections or None, reference=reference)
    output.report(as_json, asdict(done), _sentences(done))
    if opened:
        webbrowser.open(Path(done.path).as_uri())


def _sentences(done: ReportSummary) -> Iterator[str]:
    yield (
        f"{done.path}: {done.size_bytes / 1e6:.1f} MB, of {counted(done.faces, 'face')}; "
        f"{done.shown} of them one by one, {done.pictures} with a picture"
        + (f"; selections {', '.join(done.selections)}" if done.selections else "")
    )
    if done.shown and not done.pictures:
        yield "the run has no thumbnails: it was mined without them, or by an older release"
