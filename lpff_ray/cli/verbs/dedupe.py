"""`lpff-ray dedupe`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import lpff_ray
from lpff_ray.cli.options import as_json, config_file, device, out, placement
from lpff_ray.cli.output import plain, report
from lpff_ray.cli.settings import setting_options
from lpff_ray.cli.verb import Option, Verb
from lpff_ray.monitoring.wording import counted

if TYPE_CHECKING:  # it loads torch, and only the command itself needs it
    from lpff_ray.curate.dedupe import DedupeSummary


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
    report(as_json, plain(done), _shown(done))


def _shown(found: DedupeSummary) -> list[str]:
    """What was found, for a person."""
    if not found.faces:
        return [f"no faces in {found.out}: nothing to tell apart"]
    kept = found.faces - found.duplicates
    return [
        f"{counted(found.faces, 'face')} in {counted(found.tracks, 'track')}"
        + (f", {found.stitched} of them joined across segment borders" if found.stitched else ""),
        counted(found.identities, "identity", "identities")
        + (f", {found.known} of them known before" if found.known else ""),
        f"{counted(found.duplicates, 'duplicate')} of a better face, {found.across_videos} of them in another video; "
        f"{kept} kept",
        *(
            f"{_file_name(row['uri'])} repeats {_file_name(row['duplicate_of_uri'])}: {row['overlap_s']:.1f} s, "
            f"at {row['offset_s']:+.1f} s, {row['agreement']:.0%} of {row['faces']} faces agree"
            for row in found.near_duplicates.iter_rows(named=True)
        ),
    ]


def _file_name(uri: str | None) -> str:
    return (uri or "?").rstrip("/").rsplit("/", 1)[-1]
