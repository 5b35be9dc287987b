"""`lpff-ray dedupe`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import lpff_ray
from lpff_ray.cli.options import as_json, config_file, device, out, placement
from lpff_ray.cli.output import plain, report
from lpff_ray.cli.settings import setting_options
from lpff_ray.cli.verb import Option, Verb


def _settings(ctx: click.Context) -> list[Option]:
    from lpff_ray.curate.config import DedupeConfig

    return setting_options(DedupeConfig, "What is one person, and what a duplicate")


@click.command(cls=Verb, settings=_settings)
@out
@config_file("dedupe")
@placement
@device
@as_json
def dedupe(
    out: str, config: Path | None, executor: str, address: str, device: str, as_json: bool, **settings: Any
) -> None:
    """Tell people apart over the whole run; mark near-duplicate faces and clips. Run again after mining more."""
    from lpff_ray.curate.config import load_dedupe_config

    chosen = load_dedupe_config(config, settings)
    done = lpff_ray.dedupe(out, chosen, executor=executor, address=address, device=device)
    report(as_json, plain(done), done.lines())
