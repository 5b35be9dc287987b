"""`python -m benchmarks.scale [--sizes 10k,50k] [--photos 10k,50k] [--out docs/]`: how dedupe grows, as tables."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.scale.measure import STAGES, alone, search, whole
from benchmarks.scale.oracle import repeats
from benchmarks.scale.photos import EACH, make_photos
from benchmarks.scale.synthetic import make_run
from lpff_ray.measure.identity.embeddings import DLIB
from lpff_ray.tables.compact import compact

HEAD = """# Scale

Made by `python -m benchmarks.scale --out docs/` on made-up runs (of [videos](../benchmarks/scale/synthetic.py) and
[photos](../benchmarks/scale/photos.py)), compacted, with {threads} threads. Seconds are of a clock, CPU seconds of all
threads together: on a busy machine those tell more. load: of the machine, as each run began.
"""
DEDUPE = """
## `lpff-ray dedupe`, all of it: {what}

{table}

Growth from {low} to {high} faces: n^{wall:.2f} by clock, n^{cpu:.2f} in CPU seconds (n^{last:.2f} in the last step).
"""
WHAT = {
    "videos": "videos of a few people each",
    "photos": "photos, each a track of its own, of {each} per person",
}
COLUMNS = """
MiB: peak of the process, of which {idle:.0f} are there before it begins. files: reading and writing. pure: faces whose
identity is mostly their person's. copies: faces of re-encoded clips or photos that share their kept face with the face
that they were made from. checked: faces, in whole identities drawn at random, whose duplicates were found once more
[by comparing every face with all that are kept](../benchmarks/scale/oracle.py); repeats: how many of them have a better
one; agree: the share of the pairs (face, kept face) of either that both found.
"""
SEARCH = """
## Neighbours

All pairs of faces within a radius of each other, found by `lpff_ray.curate.neighbours` and by FAISS's flat index, which
compares every face with every other and is the oracle: agree is the share of the pairs of either that both found
(rounding decides at the radius). Where fewer faces than all were asked of FAISS, its seconds are scaled up. Of videos
`dedupe` itself searches among tracks, of which there are fewer. MiB: beside the vectors.

{table}

Growth of the search from the smallest to the largest run, in CPU seconds: {growth}.
"""
RADIUS = {"videos": 0.1, "photos": DLIB.distances.identity}  # nearly equal pictures; one person
MAKERS = {"videos": make_run, "photos": make_photos}


def main(
    sizes: Annotated[str, typer.Option(help="How many faces in videos.")] = "10k,50k,150k,450k",
    photos: Annotated[str, typer.Option(help="How many in photos.")] = "10k,50k,150k,450k",
    out: Annotated[Path | None, typer.Option(help="Folder to write scale.md into.")] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Keep the made-up runs here, and use those that are.")
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads of every contestant.")] = 2,
) -> None:
    """Print (and write) tables: the whole of dedupe by stage, and the search for neighbours beside FAISS."""
    for name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS"):  # read by the processes that measure
        os.environ[name] = str(threads)
    measured: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for kind, wanted in (("videos", sizes), ("photos", photos)):
            for size in filter(None, wanted.split(",")):
                run = str((runs or Path(temporary)) / (size if kind == "videos" else f"{kind}-{size}"))
                if not Path(run, "tables", "compacted.json").exists():
                    alone(MAKERS[kind], run, count_of(size))
                    alone(compact, run)
                row = {"of": kind, "radius": RADIUS[kind], "load": os.getloadavg()[0]}
                row |= alone(whole, run, threads) | alone(repeats, run)
                row |= alone(search, run, RADIUS[kind], threads)
                measured.setdefault(kind, []).append(row)
                print(row, flush=True)
    page = written(measured, threads)
    print(page)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "scale.md").write_text(page, encoding="utf-8")


def count_of(size: str) -> int:
    """A number of faces as written: 10000, 10k or 1.5M."""
    units = {"k": 1e3, "M": 1e6}
    try:
        return round(float(size.rstrip("kM")) * units.get(size[-1:], 1))
    except ValueError:
        raise typer.BadParameter(f"{size!r}: write 10000, 10k or 1.5M", param_hint="--sizes") from None


def written(measured: dict[str, list[dict[str, Any]]], threads: int) -> str:
    """The page."""
    dedupe = {"faces": ",.0f", "tracks": ",.0f", "seconds": ".1f", "cpu": ".1f", "load": ".1f"}
    dedupe |= {f"{stage} s": ".1f" for stage in ["files", *STAGES, "rest"]}
    dedupe |= {"peak_mb": ",.0f", "people": ",.0f", "identities": ",.0f", "pure": ".4f", "found": ".4f"}
    dedupe |= {"checked": ",.0f", "repeats": ",.0f", "alike": ".5f"}
    neighbours = {
        "of": "",
        "radius": "",
        "faces": ",.0f",
        "pairs": ",.0f",
        "search": ".1f",
        "search_cpu": ".1f",
    }
    neighbours |= {
        "search_mb": ",.0f",
        "flat": ",.1f",
        "flat_cpu": ",.1f",
        "asked": ",.0f",
        "agreement": ".6f",
    }
    page = HEAD.format(threads=threads)
    for kind, rows in measured.items():
        page += DEDUPE.format(
            what=WHAT[kind].format(each=EACH),
            table=table(rows, dedupe),
            low=f"{rows[0]['faces']:,.0f}",
            high=f"{rows[-1]['faces']:,.0f}",
            wall=exponent(rows, "seconds"),
            cpu=exponent(rows, "cpu"),
            last=exponent(rows[-2:], "cpu"),
        )
    every = [row for rows in measured.values() for row in rows]
    growth = ", ".join(f"{kind} n^{exponent(rows, 'search_cpu'):.2f}" for kind, rows in measured.items())
    return (
        page
        + COLUMNS.format(idle=every[0]["idle_mb"])
        + SEARCH.format(table=table(every, neighbours), growth=growth)
    )


TITLES = {
    "seconds": "s",
    "cpu": "CPU s",
    "peak_mb": "MiB",
    "found": "copies",
    "alike": "agree",
    "agreement": "agree",
    "search": "s",
    "search_cpu": "CPU s",
    "search_mb": "MiB",
    "flat": "FAISS s",
    "flat_cpu": "FAISS CPU s",
}


def table(rows: list[dict[str, Any]], columns: dict[str, str]) -> str:
    """Markdown; columns: their names and formats."""
    lines = [
        "| " + " | ".join(TITLES.get(name, name) for name in columns) + " |",
        "|" + "---|" * len(columns),
    ]
    for row in rows:
        cells = (format(row.get(name, 0.0), kind) for name, kind in columns.items())
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def exponent(measured: list[dict[str, Any]], name: str) -> float:
    """The e of n^e from the smallest to the largest run."""
    if len(measured) < 2:
        return math.nan
    first, last = measured[0], measured[-1]
    return math.log(last[name] / first[name]) / math.log(last["faces"] / first["faces"])


if __name__ == "__main__":
    typer.run(main)
