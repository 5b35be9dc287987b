"""`lpff-ray export`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

import lpff_ray
from lpff_ray.cli.options import (
    as_json,
    checked_out,
    names_of,
    option,
    out,
    placement,
    require,
    wait_for_sources,
    workers,
)
from lpff_ray.cli.output import end_interrupted, plain, report
from lpff_ray.cli.settings import setting_options
from lpff_ray.cli.verb import Option, Verb
from lpff_ray.exports.registry import FORMATS, check_option, format_class, make_format

if TYPE_CHECKING:
    from lpff_ray.exports.job import ExportSummary

STAGES = ("open", "decode", "crop", "encode", "write")
FLAGS = {"zip": "--zip/--folder"}
FORMAT = f"{__name__}.format"


def _settings(ctx: click.Context) -> list[Option]:
    """The options of the format that --format names; importing all formats would take seconds."""
    name = ctx.meta[FORMAT]
    if not name:
        return []
    taken = [parameter.name for parameter in export.params if parameter.name]
    section = f"Options of --format {name}"
    return setting_options(format_class(name), section, but=taken, flags=FLAGS)


class _Export(Verb):
    """A verb whose options depend on one of them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[FORMAT] = _named(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            own = [name for parameter in self.params for name in parameter.opts]
            name = error.option_name.lstrip("-").removeprefix("no-").replace("-", "_")
            format = ctx.meta[FORMAT]
            if format and not get_close_matches(error.option_name, own, cutoff=0.8):
                check_option(format, name)
            raise


def _named(arguments: Sequence[str]) -> str:
    """The format that the command line names; "" for none."""
    for index, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if option == "--format":
            return value if equals else "".join(arguments[index + 1 : index + 2])
    return ""


@click.command(cls=_Export, settings=_settings)
@out
@option(
    "--selection",
    required=True,
    metavar="NAME",
    help="A selection; lpff-ray select makes them.",
)
@option(
    "--format",
    required=True,
    metavar="NAME",
    help=f"One of {', '.join(FORMATS)}. With --help, its own options are shown.",
)
@option("--dest", required=True, metavar="FOLDER", help="Folder or fsspec URI of the data set.")
@option(
    "--set",
    "key_values",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the format, written otherwise: --set shard_size=500.",
)
@option(
    "--signed",
    multiple=True,
    metavar="SRC",
    help="Sources of the run once more, with the passwords or fresh signatures that its tables do not keep.",
)
@require
@placement
@workers
@wait_for_sources
@as_json
@click.pass_context
def export(
    ctx: click.Context,
    out: str,
    selection: str,
    format: str,
    dest: str,
    key_values: Sequence[str],
    signed: Sequence[str],
    require: str,
    executor: str,
    address: str,
    workers: int | None,
    wait_for_sources: float,
    as_json: bool,
    **settings: Any,
) -> None:
    """Make a data set of a selection: crops and index files. Run the same command again to resume.

    `lpff-ray export --format NAME --help` shows the options of a format. The exit code is 1 if a video or a frame
    could not be read, 75 if a host, bucket or disk of the sources stayed away.
    """
    from lpff_ray.run.workers import Limits

    summary = lpff_ray.export(
        out,
        selection,
        make_format(format, settings, key_values),
        checked_out(dest, "--dest"),
        executor=executor,
        address=address,
        workers=workers,
        signed=signed,
        require=names_of(require),
        limits=Limits(place_s=wait_for_sources),
    )
    report(as_json, plain(summary), sentences(summary))
    if summary.interrupted:
        end_interrupted()
    if summary.failures or summary.lost:
        ctx.exit(1)


def sentences(summary: ExportSummary) -> Iterator[str]:
    """What to say of an export, a line each."""
    yield (
        f"{summary.dest}: {summary.made} of {summary.faces} faces, {summary.made_before} of them before; "
        f"{summary.files} files, {summary.size_bytes / 1e6:.1f} MB"
    )
    known = [stage for stage in STAGES if stage in summary.seconds]
    if known:
        rest = summary.seconds["total"] - sum(summary.seconds[stage] for stage in known)
        shares = [f"{stage} {summary.seconds[stage]:.1f} s" for stage in known]
        yield f"time of work: {', '.join(shares)}, rest {max(rest, 0.0):.1f} s"
    yield from summary.notes
    if summary.sheet:
        yield f"look at {summary.dest}/{summary.sheet}; what is in it: {summary.dest}/README.md"
    if summary.lost:
        yield f"{summary.lost} faces lost: their frames could not be decoded"
    yield from (f"not exported: {uri}: {reason}" for uri, reason in summary.failures.items())
    if summary.failures:
        yield (
            "moved videos: mine them from their new place into the same run, which adds the place and mines nothing; "
            "then run the same command again"
        )
    if summary.interrupted:
        yield f"interrupted with {summary.unfinished} units left; run the same command to go on"
