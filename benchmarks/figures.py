"""`python -m benchmarks.figures --data ../shared/data`: writes the measured figures of README.md and docs/*.md.

A document has them between two marks, and nowhere else:

    <!-- figures:NAME -->
    ...
    <!-- /figures -->

They are measured on the shared clips, mined at every 5th frame; `--run RUN` takes a run of them that is there already.
docs/accuracy.md and docs/scale.md are written by programs of their own.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

import lpff_ray
from benchmarks import plugins
from benchmarks.scale.questions import PAGE, answered, synthetic_run, timed

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(
    r"(?<=^<!-- figures:)([\w-]+)( -->\n)(.*?)(?=^<!-- /figures -->$)", re.MULTILINE | re.DOTALL
)
GATES = {"min_area": 4096.0, "min_iqa": 50.0}
MADE_UP = 450  # videos of 1,000 faces each, which the questions are asked of
THREADS = 2


def flags(settings: dict[str, float]) -> str:
    """Settings as options of the command line."""
    return " ".join(f"--{name.replace('_', '-')} {value:g}" for name, value in settings.items())


def markdown(table: pl.DataFrame) -> str:
    """A table as Markdown has it."""
    lines = [table.columns, ["---"] * table.width, *table.iter_rows()]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def kept(run: str) -> tuple[int, int]:
    """Faces of a run, and how many of them are no duplicates."""
    marks = lpff_ray.dedupe_marks(run)
    return len(marks), int(marks["keep"].sum())


def clips(run: str, data: Path) -> str:
    """What the run is."""
    faces, no_duplicates = kept(run)
    count = lpff_ray.videos(run).filter(pl.col("status") == "done").height
    return f"{count} clips mined at every 5th frame: {faces:,} faces, {no_duplicates:,} without duplicates.\n"


def selected(run: str, data: Path) -> str:
    """What the preset efhq keeps."""
    done = lpff_ray.select(run, "figures", "efhq")
    faces, no_duplicates = kept(run)
    people = done.table["identity_id"].n_unique()
    return (
        f"Of the shared clips ({faces:,} faces, {no_duplicates:,} without duplicates) `--preset efhq` takes the\n"
        f"{len(done.table)} most turned ones, of {people} identities.\n"
    )


def duplicates(run: str, data: Path) -> str:
    """How many faces are kept at three levels of `duplicate_expression`. The default's marks are left in the run."""
    rows = []
    for level in (100.0, 1.5, 1.0):
        lpff_ray.dedupe(
            run, lpff_ray.DedupeConfig(duplicate_expression=level), executor="local", device="cpu"
        )
        rows.append((f"{level:g}", *kept(run)))
    table = pl.DataFrame(rows, ["`--duplicate-expression`", "faces", "kept"], orient="row")
    return markdown(table.reverse())


def funnel(run: str, data: Path) -> str:
    """The funnel of a selection."""
    done = lpff_ray.select(run, "figures", "lpff", GATES)
    tested = done.table.filter(pl.col("split") == "test")
    return (
        f"{markdown(done.funnel)}\n`lpff-ray select run --preset lpff {flags(GATES)}`: {len(done.table)} faces of "
        f"{done.table['identity_id'].n_unique()} identities, listed\n{done.table['copies'].sum()} times; for testing "
        f"{len(tested)} faces of {tested['identity_id'].n_unique()} identities.\n"
    )


def empty(run: str, data: Path) -> str:
    """What a selection says that leaves no face."""
    try:
        lpff_ray.select(run, "figures", "efhq", {"min_area": 60000})
    except lpff_ray.UserError as error:
        lines = str(error).replace(run, "run").split("; ")
        return "    $ lpff-ray select run --min-area 60000\n    lpff-ray: " + ";\n    ".join(lines) + "\n"
    raise UserWarning("the preset efhq leaves faces of this run: the page has to speak of something else")


def question_times(run: str, data: Path) -> str:
    """How long the questions of docs/questions.md take. A large run is made up for it."""
    with tempfile.TemporaryDirectory() as folder:
        synthetic_run(folder, MADE_UP, 1000)
        times = timed(folder, THREADS, 5).select(
            "question", *(pl.col(name).map_elements("{:.2f}".format, pl.String) for name in ("best", "cpu"))
        )
    table = times.rename({"best": "best of 5, clock, s", "cpu": "CPU, s"})
    return f"{MADE_UP * 1000:,} made-up faces of {MADE_UP} videos, compacted; {THREADS} threads.\n\n{markdown(table)}"


def detectors(run: str, data: Path) -> str:
    """The detectors on a street scene."""
    title = f"{plugins.FRAMES} frames of a 1080p street scene, `--min-face-px {plugins.LEAST_PX}`:"
    return f"{title}\n\n{markdown(plugins.detectors(data))}"


def estimators(run: str, data: Path) -> str:
    """The errors of the pose estimators."""
    title = "Mean absolute error on photos of AFLW2000-3D, degrees:"
    return f"{title}\n\n{markdown(plugins.estimators(data))}"


FIGURES: dict[str, Callable[[str, Path], str]] = {
    "duplicates": duplicates,
    "clips": clips,
    "selected": selected,
    "funnel": funnel,
    "empty": empty,
    "question-times": question_times,
    "detectors": detectors,
    "estimators": estimators,
}
"""Makes the text of each block out of a run and the shared data. `duplicates` comes first: it leaves the marks that the
others read."""


def documents() -> Iterator[Path]:
    """README.md and the pages of docs/."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").glob("*.md"))


def blocks(text: str) -> dict[str, str]:
    """The blocks of a document by name."""
    return {name: content for name, _, content in BLOCK.findall(text)}


def filled(text: str, made: dict[str, str]) -> str:
    """A document with its blocks filled anew; those that were not made stay as they are."""
    return BLOCK.sub(lambda found: f"{found[1]}{found[2]}{made.get(found[1], found[3])}", text)


def main(
    data: Annotated[Path, typer.Option(help="The folder of shared data.")] = ROOT.parent / "shared" / "data",
    run: Annotated[str, typer.Option(help="A run of its clips at every 5th frame, in place of mining.")] = "",
    only: Annotated[str, typer.Option(help="Names of blocks, with commas between them.")] = "",
) -> None:
    """Write the figures into the documents, and the answers into docs/questions.md."""
    names = only.split(",") if only else [*FIGURES]
    with tempfile.TemporaryDirectory() as folder:
        copy = str(Path(folder, "run"))
        if run:
            shutil.copytree(run, copy)
        else:
            lpff_ray.mine(data / "videos", copy, lpff_ray.MineConfig(every=5), executor="local", device="cpu")
        lpff_ray.dedupe(copy, executor="local", device="cpu")
        made = {name: figure(copy, data) for name, figure in FIGURES.items() if name in names}
        for document in documents():
            document.write_text(filled(document.read_text("utf-8"), made), "utf-8")
        if not only:
            PAGE.write_text(answered(PAGE.read_text("utf-8"), copy), "utf-8")


if __name__ == "__main__":
    typer.run(main)
