"""`python -m benchmarks.scale [--sizes 10k,50k,150k,450k,1.5M] [--out docs/]`: how dedupe grows, as a table."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.scale.measure import STAGES, alone, search, whole
from benchmarks.scale.synthetic import make_run
from lpff_ray.tables.compact import compact

HEAD = """# Scale

Made by `python -m benchmarks.scale --out docs/` on made-up runs ([how](../benchmarks/scale/synthetic.py)), compacted,
with {threads} threads. Seconds are of a clock, CPU seconds of all threads together: on a busy machine those tell more.
"""
DEDUPE = """
## `lpff-ray dedupe`, all of it

{table}

Growth from {low} to {high} faces: n^{wall:.2f} by the clock, n^{cpu:.2f} in CPU seconds. MiB: peak of the process, of
which {idle:.0f} are there before it begins. files: reading and writing. pure: faces whose identity is mostly their
person's. copies: faces of re-encoded clips that share their kept face with the face that they were made from.
"""
SEARCH = """
## Neighbours

All pairs of faces within {radius} of each other, found by `lpff_ray.curate.neighbours` and by FAISS's flat index, which
compares every face with every other and is the oracle: agreement is the share of the pairs of either that both found
(rounding decides at the radius). Where fewer faces than all were asked of FAISS, its seconds are scaled up. `dedupe`
itself searches among tracks, of which there are fewer, and never holds pairs of faces. MiB: beside the vectors.

{table}

Growth of the search from {low} to {high} faces: n^{cpu:.2f} in CPU seconds.
"""


def main(
    sizes: Annotated[str, typer.Option(help="How many faces.")] = "10k,50k,150k,450k,1.5M",
    out: Annotated[Path | None, typer.Option(help="Folder to write scale.md into.")] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Keep the made-up runs here, and use those that are.")
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads of every contestant.")] = 2,
    radius: Annotated[float, typer.Option(help="Of the search among faces.")] = 0.1,
) -> None:
    """Print (and write) two tables: the whole of dedupe by stage, and the search for neighbours beside FAISS."""
    for name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS"):  # read by the processes that measure
        os.environ[name] = str(threads)
    measured = []
    with tempfile.TemporaryDirectory() as temporary:
        for size in sizes.split(","):
            run = str((runs or Path(temporary)) / size)
            if not Path(run, "tables", "compacted.json").exists():
                alone(make_run, run, count_of(size))
                alone(compact, run)
            measured.append(alone(whole, run, threads) | alone(search, run, radius, threads))
            print(measured[-1], flush=True)
    page = written(measured, threads, radius)
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


def written(measured: list[dict[str, float]], threads: int, radius: float) -> str:
    """The page."""
    ends = {"low": f"{measured[0]['faces']:,.0f}", "high": f"{measured[-1]['faces']:,.0f}"}
    dedupe = {"faces": ",.0f", "tracks": ",.0f", "seconds": ".1f", "cpu": ".1f"}
    dedupe |= {f"{stage} s": ".1f" for stage in ["files", *STAGES, "rest"]}
    dedupe |= {"peak_mb": ",.0f", "people": ",.0f", "identities": ",.0f", "pure": ".4f", "found": ".4f"}
    neighbours = {"faces": ",.0f", "pairs": ",.0f", "search": ".1f", "search_cpu": ".1f", "search_mb": ",.0f"}
    neighbours |= {"flat": ",.1f", "flat_cpu": ",.1f", "asked": ",.0f", "agreement": ".6f"}
    idle = measured[0]["idle_mb"]
    growth = {name: exponent(measured, name) for name in ("seconds", "cpu", "search_cpu")}
    return (
        HEAD.format(threads=threads)
        + DEDUPE.format(
            table=table(measured, dedupe), wall=growth["seconds"], cpu=growth["cpu"], idle=idle, **ends
        )
        + SEARCH.format(table=table(measured, neighbours), radius=radius, cpu=growth["search_cpu"], **ends)
    )


TITLES = {
    "seconds": "s",
    "cpu": "CPU s",
    "peak_mb": "MiB",
    "found": "copies",
    "search": "s",
    "search_cpu": "CPU s",
    "search_mb": "MiB",
    "flat": "FAISS s",
    "flat_cpu": "FAISS CPU s",
}


def table(rows: list[dict[str, float]], columns: dict[str, str]) -> str:
    """Markdown; columns: their names and formats."""
    lines = [
        "| " + " | ".join(TITLES.get(name, name) for name in columns) + " |",
        "|" + "---|" * len(columns),
    ]
    for row in rows:
        cells = (format(row.get(name, 0.0), kind) for name, kind in columns.items())
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def exponent(measured: list[dict[str, float]], name: str) -> float:
    """The e of n^e from the smallest to the largest run."""
    if len(measured) < 2:
        return math.nan
    first, last = measured[0], measured[-1]
    return math.log(last[name] / first[name]) / math.log(last["faces"] / first["faces"])


if __name__ == "__main__":
    typer.run(main)
