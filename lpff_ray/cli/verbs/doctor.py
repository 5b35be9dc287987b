"""`lpff-ray doctor`."""

from __future__ import annotations

import click
from rich.text import Text

from lpff_ray.cli.options import as_json, option
from lpff_ray.cli.output import report
from lpff_ray.cli.verb import Verb

MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


@click.command(cls=Verb)
@option("--out", metavar="FOLDER", help="Also check that this folder, or fsspec URI, can be written.")
@as_json
@click.pass_context
def doctor(ctx: click.Context, out: str | None, as_json: bool) -> None:
    """Check Python, packages, models, GPUs, Ray, memory, disk and write access.

    Says how to remedy each that fails. The exit code is 2 if something that every run needs is missing.
    """
    from lpff_ray.cli.checks import examine  # torch takes seconds

    findings = examine(out)
    good = all(finding.level != "fail" for finding in findings)
    lines = (Text.assemble(MARKS[finding.level], f" {finding.line()}") for finding in findings)
    report(as_json, {"ok": good, "findings": findings}, lines)
    if not good:
        ctx.exit(2)
