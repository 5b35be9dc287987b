"""`python -m benchmarks.speed.export --data ../shared/data [--run RUN]`: where the time of an export goes."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import polars as pl
import typer

import lpff_ray
from lpff_ray.cli.verbs.datasets.export import STAGES
from lpff_ray.exports.job import export
from lpff_ray.exports.registry import make_format
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.curated import write_selection

SELECTION = "benchmark-export"


def main(
    data: Annotated[Path, typer.Option(help="The shared data folder, or any folder of videos.")],
    run: Annotated[
        str, typer.Option(help="A run over them; a selection is added to it [mined at every 5th].")
    ] = "",
    crops: Annotated[int, typer.Option(help="How many faces, drawn at random.")] = 1000,
    format: Annotated[str, typer.Option(help="As for lpff-ray export.")] = "stylegan",
    size: Annotated[int, typer.Option(help="Side of the crops, pixels.")] = 512,
    image: Annotated[str, typer.Option(help="png or jpg.")] = "png",
    workers: Annotated[int, typer.Option(help="Threads.")] = 1,
    cpu: Annotated[
        bool, typer.Option("--cpu", help="Count the process's CPU time; a busy machine hardly changes that.")
    ] = False,
) -> None:
    """Print crops per second and the share of the time in each stage, of one export into a temporary folder."""
    if cpu and workers > 1:
        raise typer.BadParameter("--cpu can not tell the stages of several --workers apart")
    clock = time.process_time if cpu else time.perf_counter  # of all threads: decoders have their own
    folder = data / "videos" if (data / "videos").is_dir() else data
    with tempfile.TemporaryDirectory() as place:
        if not run:
            run = f"{place}/run"
            lpff_ray.mine(str(folder), run, lpff_ray.MineConfig(every=5))
        draw(run, crops)
        export_format = make_format(format, {"size": size, "image": image})
        with patch.object(time, "perf_counter", clock):
            start = time.perf_counter()
            summary = export(run, SELECTION, export_format, f"{place}/dest", workers=workers)
            seconds = time.perf_counter() - start
    unit = "s of CPU" if cpu else "s"
    print(
        f"\n{format}, {size} px {image}, {workers} threads: {summary.made} faces of {summary.faces}, "
        f"{summary.size_bytes / 1e6:.0f} MB in {seconds:.1f} {unit}, {summary.made / seconds:.1f} faces/s"
    )
    total = summary.seconds["total"]
    spent = {stage: summary.seconds.get(stage, 0.0) for stage in STAGES}
    spent["rest"] = total - sum(spent.values())
    for stage, of_stage in spent.items():
        print(f"  {stage:8} {1e3 * of_stage / summary.made:7.2f} ms/face {of_stage / total:7.1%}")
    coding = spent["decode"] + spent["encode"]
    print(
        f"  decode and encode together {coding / total:.1%}, with opening {(coding + spent['open']) / total:.1%}"
    )


def draw(run: str, count: int) -> None:
    """Select `count` of the run's faces at random, always the same."""
    faces = lpff_ray.scan(run).select("face_id").collect()
    faces = faces.sample(min(count, len(faces)), seed=0, shuffle=True)
    columns = {"face_id": faces["face_id"].to_list(), "rank": pl.int_range(len(faces), eager=True).to_list()}
    write_selection(
        Folder(run), SELECTION, schema.frame(columns, schema.SELECTION), {"drawn": "at random, seed 0"}
    )


if __name__ == "__main__":
    typer.run(main)
