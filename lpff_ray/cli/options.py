"""The arguments and options that the verbs of the command line share."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from lpff_ray.errors import UserError


class ExecutorName(str, Enum):
    """Where the work is done."""

    auto = "auto"
    local = "local"
    ray = "ray"


class DecoderName(str, Enum):
    """What reads videos."""

    auto = "auto"
    decord = "decord"
    pyav = "pyav"


Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SRC...",
        help="Files, folders, zips, globs, fsspec URIs, manifests (.txt .csv .jsonl .parquet), or the clip lists of "
        "CelebV-HQ or VFHQ.",
    ),
]
Videos = Annotated[
    str,
    typer.Option(
        help="Folder of the videos that clip lists speak of (default: $LPFF_RAY_VIDEOS, or the list's own)."
    ),
]
Out = Annotated[str, typer.Argument(metavar="OUT", help="The --out folder of a run.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="run.toml; flags win over it.")]
Every = Annotated[int | None, typer.Option(help="Look at every Nth frame.")]
Fps = Annotated[float | None, typer.Option(help="Look at this many frames per second.")]
SegmentSeconds = Annotated[
    float | None, typer.Option(help="Length of a unit of work, in seconds (default: 30).")
]
MinFacePx = Annotated[
    float | None, typer.Option(help="Shorter side of the smallest face kept, in pixels (default: 64).")
]
MinDetScore = Annotated[float | None, typer.Option(help="Lowest detection score kept, 0..1 (default: 0.5).")]
Decoder = Annotated[DecoderName | None, typer.Option(help="What reads videos (default: auto).")]
Detector = Annotated[str | None, typer.Option(help="blazeface or yunet (default: blazeface).")]
PoseVotes = Annotated[
    str | None, typer.Option(help="Plug-ins that vote on the pose: fsanet,3ddfa_v2,6drepnet (default: none).")
]
Embedding = Annotated[
    str | None,
    typer.Option(help="dlib-resnet, arcface-r50, arcface-r100 or arcface-w600k (default: dlib-resnet)."),
]
Iqa = Annotated[str | None, typer.Option(help="embedded or hyperiqa (default: embedded).")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first N files or clips.")]
Executor = Annotated[
    ExecutorName,
    typer.Option(help="auto: Ray inside a Ray job or with --address, else this process."),
]
Address = Annotated[
    str, typer.Option(help="Ray cluster, HOST:PORT or auto; default $RAY_ADDRESS, else a local node.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Threads (local) or actors (ray) (default: fitted).")
]


def checked_out(out: str, option: str = "--out") -> str:
    """The place given to `option`. Raises UserError for an empty one, and one that ends with the Ray job."""
    if not out.strip():
        raise UserError(f"{option} is empty; name a folder or a place such as s3://bucket/run")
    inside_job = "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ and not os.environ.get("LPFF_RAY_CWD")
    if inside_job and "://" not in out and not os.path.isabs(out):
        raise UserError(
            f"{option} {out}: a Ray job runs in a copy of its working directory that is deleted afterwards; give an "
            "absolute path of a shared file system or a place such as s3://bucket/run"
        )
    return out
