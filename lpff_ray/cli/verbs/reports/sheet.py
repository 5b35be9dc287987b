"""`lpff-ray sheet`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from lpff_ray.cli.options import as_json, option, out
from lpff_ray.cli.output import report
from lpff_ray.cli.verb import Verb
from lpff_ray.monitoring.wording import counted

if TYPE_CHECKING:
    from lpff_ray.reports.sheets.sheet import SheetSummary

WHICH, ORDER, LOOKS = "Which faces", "Their order (one of these)", "Looks"


def _number(*names: str, section: str, default: int, low: int = 1, high: int | None = None, help: str) -> Any:
    kind = click.IntRange(low, high)
    return option(
        *names, type=kind, default=default, show_default=True, section=section, metavar="N", help=help
    )


def _column(name: str, help: str) -> Any:
    return option(name, default="", section=ORDER, metavar="COLUMN", help=help)


@click.command(cls=Verb)
@out
@option(
    "--dest",
    default="",
    metavar="FILE.png",
    show_default="OUT/sheet.png",
    help="The file; several pages get numbers.",
)
@option(
    "--where",
    default="",
    section=WHICH,
    metavar="SQL",
    help="Those for which a condition on columns holds: 'abs(yaw) > 60 and iqa > 50'.",
)
@option("--selection", default="", section=WHICH, metavar="NAME", help="Those of a selection, by rank.")
@option(
    "--random", type=click.IntRange(min=1), section=WHICH, metavar="N", help="N of them, drawn at random."
)
@option("--seed", type=int, default=0, show_default=True, section=WHICH, metavar="N", help="Of --random.")
@_number("--limit", section=WHICH, default=512, help="Most faces on all pages.")
@option(
    "--by",
    type=click.Choice(["identity", "bin", "video"]),
    section=ORDER,
    metavar="NAME",
    help="In groups: identity (each from left to right profile), bin or video.",
)
@option(
    "--worst",
    type=click.Choice(["disagreement", "quality"]),
    section=ORDER,
    metavar="NAME",
    help="Worst first: disagreement (of the pose estimators) or quality.",
)
@_column("--top", "Largest first.")
@_column("--bottom", "Smallest first.")
@option(
    "--duplicates",
    is_flag=True,
    section=ORDER,
    help="Pairs of a kept face and one that repeats it, least alike first.",
)
@_number("--per-page", section=LOOKS, default=64, help="Faces on a page.")
@option(
    "--per-group",
    type=click.IntRange(min=1),
    section=LOOKS,
    metavar="N",
    show_default="one row of an identity, two of a bin or video",
    help="Most faces of a group of --by, spread over it.",
)
@_number("--columns", section=LOOKS, default=8, high=50, help="Pictures in a row.")
@_number("--size", section=LOOKS, default=160, low=32, high=1024, help="Side of a picture, pixels.")
@option("--plain", is_flag=True, section=LOOKS, help="Pictures alone: no box, points, axes and numbers.")
@option(
    "--from-sources",
    is_flag=True,
    section=LOOKS,
    help="Decode the frames again: for runs without thumbnails, or a large --size.",
)
@as_json
def sheet(
    out: str,
    dest: str,
    limit: int,
    per_page: int,
    per_group: int | None,
    columns: int,
    size: int,
    plain: bool,
    from_sources: bool,
    as_json: bool,
    **choice: Any,
) -> None:
    """Show faces: contact sheets as PNG, with boxes, points, head axes and numbers."""
    from lpff_ray.reports.sheets.choice import Choice
    from lpff_ray.reports.sheets.sheet import Layout, write_sheets

    given = {name: value for name, value in choice.items() if value is not None}
    layout = Layout(columns, size, plain, per_group, per_page)
    done = write_sheets(out, dest, Choice(**given), layout, limit=limit, from_sources=from_sources)
    report(as_json, asdict(done), _sentences(done, limit))


def _sentences(done: SheetSummary, limit: int) -> Iterator[str]:
    more = (
        f"; --limit N shows more than {limit}" if done.shown < done.found and done.shown >= limit - 1 else ""
    )
    yield f"{done.shown} of {counted(done.found, 'face')} shown{more}"
    yield from done.notes
    yield from done.files
