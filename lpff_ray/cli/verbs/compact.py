"""`lpff-ray compact`."""

from __future__ import annotations

from dataclasses import asdict

import click

import lpff_ray
from lpff_ray.cli.options import as_json, out
from lpff_ray.cli.output import report
from lpff_ray.cli.verb import Verb


@click.command(cls=Verb)
@out
@as_json
def compact(out: str, as_json: bool) -> None:
    """Gather many small parts into few big Parquet files."""
    done = lpff_ray.compact(out)
    sentence = (
        f"gathered {done.parts_gathered} parts; {done.faces} faces in {done.files} files below {out}/tables"
    )
    report(as_json, {"out": out, **asdict(done)}, [sentence])
