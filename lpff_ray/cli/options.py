"""The arguments and options that several verbs share, and that are no setting of a configuration class."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from lpff_ray.cli.verb import COMMON, Argument, Option
from lpff_ray.errors import UserError

PICTURES = ("auto", "photos", "sequences")
EXECUTORS = ("auto", "local", "ray")
PLACEMENT = "Where the work is done"

Function = TypeVar("Function", bound=Callable[..., Any])


def option(*names: str, **attributes: Any) -> Callable[[Function], Function]:
    """As `click.option`, with `section`: the heading in the help."""
    return click.option(*names, cls=Option, **attributes)


def argument(*names: str, **attributes: Any) -> Callable[[Function], Function]:
    """As `click.argument`, with `about`: what the help says of it."""
    return click.argument(*names, cls=Argument, **attributes)


sources = argument(
    "sources",
    metavar="SRC...",
    nargs=-1,
    required=True,
    about="Files, folders, zips, globs, fsspec URIs, manifests (.txt .csv .jsonl .parquet), or the clip lists of "
    "CelebV-HQ or VFHQ.",
)
out = argument("out", metavar="OUT", about="The --out folder of a run.")
videos = option(
    "--videos",
    default="",
    metavar="FOLDER",
    show_default="$LPFF_RAY_VIDEOS, or the list's own",
    help="Folder of the videos that clip lists speak of.",
)
pictures = option(
    "--pictures",
    type=click.Choice(PICTURES),
    default="auto",
    metavar="NAME",
    show_default=True,
    help="What folders and zips of numbered pictures are: auto (photos, but for names such as frame_0001.png or VFHQ's "
    "clips), photos, or sequences (the frames of a clip).",
)
sequence_fps = option(
    "--sequence-fps",
    type=click.FloatRange(min=0, min_open=True),
    default=25.0,
    metavar="NUMBER",
    show_default=True,
    help="Frames per second of such sequences, where no manifest says it.",
)
require = option(
    "--require",
    default="",
    metavar="COLUMN,...",
    help="Columns of the manifest, such as licence; sources without a value in them are refused.",
)
limit = option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N files or clips.")
as_json = option(
    "--json",
    "as_json",
    is_flag=True,
    section=COMMON,
    help="Print one JSON object and nothing else to stdout.",
)


def names_of(text: str) -> tuple[str, ...]:
    """The names of a text with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def config_file(table: str = "") -> Callable[[Function], Function]:
    """The option --config. table: the table of the file that is read, "" for the file as a whole."""
    return option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE.toml",
        help=f"Settings {f'in a table [{table}]' if table else 'by name'}; options win over it.",
    )


def device(function: Function) -> Function:
    """The option --device."""
    return option(
        "--device",
        default="auto",
        section=PLACEMENT,
        metavar="NAME",
        show_default=True,
        help="auto (a GPU if there is one), cpu, cuda or cuda:N.",
    )(function)


def workers(function: Function) -> Function:
    """The option --workers."""
    return option(
        "--workers",
        type=click.IntRange(min=1),
        section=PLACEMENT,
        metavar="N",
        show_default="fitted to the machines",
        help="Threads (local) or actors (ray).",
    )(function)


def placement(function: Function) -> Function:
    """The options --executor and --address: this process, or a Ray cluster."""
    executor = option(
        "--executor",
        type=click.Choice(EXECUTORS),
        default="auto",
        section=PLACEMENT,
        metavar="NAME",
        show_default=True,
        help="auto (ray inside a Ray job or with --address, else local), local (this process) or ray.",
    )
    address = option(
        "--address",
        default="",
        section=PLACEMENT,
        metavar="HOST:PORT",
        show_default="$RAY_ADDRESS, else a node of its own",
        help="Of a Ray cluster, or auto.",
    )
    return executor(address(function))


def wait_for_sources(function: Function) -> Function:
    """The option --wait-for-sources."""
    return option(
        "--wait-for-sources",
        type=click.FloatRange(min=0),
        default=600.0,
        show_default=True,
        section=PLACEMENT,
        metavar="SECONDS",
        help="How long a host, bucket or disk that is away is waited for; then exit code 75.",
    )(function)


def checked_out(out: str, option: str = "--out") -> str:
    """The folder given to `option`. Raises UserError for an empty one, and one that ends with the Ray job."""
    if not out.strip():
        raise UserError(f"{option} is empty; name a folder or a URI such as s3://bucket/run")
    inside_job = "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ and not os.environ.get("LPFF_RAY_CWD")
    if inside_job and "://" not in out and not os.path.isabs(out):
        raise UserError(
            f"{option} {out}: a Ray job runs in a copy of its working directory that is deleted afterwards; give an "
            "absolute path of a shared file system or a URI such as s3://bucket/run"
        )
    return out
