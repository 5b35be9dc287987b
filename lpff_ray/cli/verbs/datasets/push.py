"""`lpff-ray push`."""

from __future__ import annotations

from dataclasses import asdict

import click

from lpff_ray.cli.options import argument, as_json, option
from lpff_ray.cli.output import report
from lpff_ray.cli.verb import Verb
from lpff_ray.monitoring.wording import counted


@click.command(cls=Verb)
@argument("dest", metavar="DEST", about="The --dest folder of a finished export, on a disk.")
@argument("repository", metavar="USER/NAME", about="The data set; it is made if it is not there.")
@option(
    "--private/--public", default=True, show_default=True, help="Who may see a data set that is made now."
)
@option("--message", default="", metavar="TEXT", help="Of the commits.")
@as_json
def push(dest: str, repository: str, private: bool, message: str, as_json: bool) -> None:
    """Put an export on the Hugging Face Hub. Run the same command again to go on.

    Needs the extra hub (pip install 'lpff-ray[hub]'), and a token: hf auth login, or HF_TOKEN.
    """
    from lpff_ray.exports.hub import push

    done = push(dest, repository, private=private, message=message)
    report(
        as_json, asdict(done), [f"{counted(done.files, 'file')}, {done.size_bytes / 1e6:.1f} MB: {done.url}"]
    )
