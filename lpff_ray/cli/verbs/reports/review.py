"""`lpff-ray review`."""

from __future__ import annotations

import getpass
import ipaddress
import json
import webbrowser

import click

from lpff_ray.cli.options import as_json, option, out
from lpff_ray.cli.verb import Verb
from lpff_ray.monitoring.wording import counted


@click.command(cls=Verb)
@out
@option(
    "--reviewer",
    metavar="NAME",
    show_default="your login name",
    help="Who decides; undo takes back this one's actions.",
)
@option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    show_default="a free one",
    help="Where to listen.",
)
@option(
    "--host",
    default="127.0.0.1",
    metavar="ADDRESS",
    show_default=True,
    help="Address to listen on; others than this machine's own can be reached by everybody on the network.",
)
@option("--open", "opens", is_flag=True, help="Open the page in the default browser.")
@as_json
def review(out: str, reviewer: str | None, port: int, host: str, opens: bool, as_json: bool) -> None:
    """Look through faces on a local page: reject them, move them between pose bins, merge and split people.

    Prints the page's address and serves it until Ctrl-C. Every decision is kept in OUT/review when the page shows it;
    selections and exports honour it.
    """
    from lpff_ray.reports.review.catalogue import read_catalogue
    from lpff_ray.reports.review.pictures import PictureCache
    from lpff_ray.reports.review.server import ReviewServer
    from lpff_ray.reports.review.session import Session
    from lpff_ray.tables.review.actions import checked_reviewer

    name = checked_reviewer(_login() if reviewer is None else reviewer)
    catalogue = read_catalogue(out)
    session = Session(catalogue, name)
    server = ReviewServer(session, PictureCache(catalogue), host, port)
    if not _is_loopback(host):
        click.echo(
            f"lpff-ray: {host} is reached from the network: whoever has the address below can read and change this "
            "review, and whoever listens on the way can read it",
            err=True,
        )

    def ready() -> None:
        # Not by cli.output: it takes tokens out of what is printed, and here the token is the point.
        if as_json:
            click.echo(json.dumps({"url": server.url, "faces": len(catalogue), "reviewer": name}))
        else:
            click.echo(f"reviewing {counted(len(catalogue), 'face')} at {server.url} (Ctrl-C ends)")
        if opens:
            webbrowser.open(server.url)

    try:
        server.run(ready)
    finally:
        actions, files = session.close()
    where = f" in {out.rstrip('/')}/review/{', '.join(files)}" if files else ""
    click.echo(f"{counted(actions, 'action')} kept{where}", err=as_json)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "reviewer"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
