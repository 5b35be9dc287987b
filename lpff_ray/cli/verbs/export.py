"""The command line's `lpff-ray export`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lpff_ray.cli.options import Address, Executor, ExecutorName, Out, Workers, checked_out
from lpff_ray.exports.registry import FORMATS, make_format
from lpff_ray.monitoring.console import console
from lpff_ray.monitoring.interrupt import INTERRUPTED

if TYPE_CHECKING:
    from lpff_ray.exports.job import ExportSummary

STAGES = ("open", "decode", "crop", "encode", "write")


def add(app: typer.Typer) -> None:
    """Put `export` on the command line."""

    @app.command()
    def export(
        out: Out,
        selection: Annotated[str, typer.Option(help="Name of a selection; lpff-ray select makes them.")],
        format: Annotated[str, typer.Option(help=f"{', '.join(FORMATS)}.")],
        dest: Annotated[str, typer.Option(help="Folder or fsspec URI of the product.")],
        size: Annotated[
            int | None, typer.Option(help="Side of the crops, pixels (default: the format's own).")
        ] = None,
        image: Annotated[str | None, typer.Option(help="png or jpg (default: png).")] = None,
        zip: Annotated[
            bool | None, typer.Option("--zip/--folder", help="One zip, or a folder (default: folder).")
        ] = None,
        settings: Annotated[
            list[str] | None,
            typer.Option("--set", metavar="KEY=VALUE", help="An option that only this format has."),
        ] = None,
        executor: Executor = ExecutorName.auto,
        address: Address = "",
        workers: Workers = None,
    ) -> None:
        """Make a data set of a selection: crops and index files. Run the same command again to resume."""
        from lpff_ray.exports.job import export as run_export

        export_format = make_format(format, {"size": size, "image": image, "zip": zip}, settings or [])
        summary = run_export(
            out,
            selection,
            export_format,
            checked_out(dest, "--dest"),
            executor=executor.value,
            address=address,
            workers=workers,
        )
        for line in describe(summary):
            console.print(line)
        if summary.interrupted:
            sys.stdout.flush()
            # A second Ctrl-C let go of units in flight: their threads must not hold up the end.
            os._exit(INTERRUPTED)
        if summary.failures or summary.lost:
            raise typer.Exit(1)


def describe(summary: ExportSummary) -> list[str]:
    """What to say of an export, a line each."""
    lines = [
        f"{summary.dest}: {summary.made} of {summary.faces} faces, {summary.made_before} of them before; "
        f"{summary.files} files, {summary.size_bytes / 1e6:.1f} MB"
    ]
    known = [stage for stage in STAGES if stage in summary.seconds]
    if known:
        rest = summary.seconds["total"] - sum(summary.seconds[stage] for stage in known)
        shares = [f"{stage} {summary.seconds[stage]:.1f} s" for stage in known]
        lines.append(f"time of work: {', '.join(shares)}, rest {max(rest, 0.0):.1f} s")
    lines += summary.notes
    if summary.lost:
        lines.append(f"{summary.lost} faces lost: their frames could not be decoded")
    lines += [f"not exported: {uri}: {reason}" for uri, reason in summary.failures.items()]
    if summary.failures:
        lines.append(
            "moved videos: mine them from their new place into the same run, which adds the place and mines nothing; "
            "then run the same command again"
        )
    if summary.interrupted:
        lines.append(f"interrupted with {summary.unfinished} units left; run the same command to go on")
    return lines
