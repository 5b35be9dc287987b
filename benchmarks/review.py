"""Measures the review page in a real browser, and makes its picture for the documentation.

    PYTHONPATH=.:tests/helpers/pages python -m benchmarks.review --data ../shared/data

`docs/evidence/review.md` gets the figures, of 100,000 made-up faces whose thumbnails are those of a small mined run;
`docs/review.png` shows the page with faces that may be published: the demo's public-domain portrait, and renders of the
CC-BY head scan of Lee Perry-Smith.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import polars as pl
import psutil
import typer
from browser import Page, running_browser

import lpff_ray
from benchmarks.figures import markdown
from benchmarks.scale.questions import synthetic_run
from lpff_ray.cli.demo_clip import make_clip
from lpff_ray.config import MineConfig
from lpff_ray.geometry.rotation import matrix_from_direction
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.thumbnails import commit_thumbnails
from training.render import HeadScan

DOCS = Path(__file__).resolve().parents[1] / "docs"
EVIDENCE, PICTURE = DOCS / "evidence" / "review.md", DOCS / "review.png"
VIDEO_FACES = 500
SPEEDS = {"reading": 20, "fast": 200, "as fast as it goes": 3000}
"""Pixels scrolled per frame."""
FRAMES = 240
TURNS = [(azimuth, elevation) for elevation in (0, 32, -32) for azimuth in range(-85, 86, 17)]
SCROLL = """
const [step, count, done] = [arguments[0], arguments[1], arguments[arguments.length - 1]];
const { grid } = review;
grid.scrollTo(0);
let last = null, seen = 0, there = 0, nodes = 0;
const frames = [], drawn = [];
grid.draw = () => {
  const start = performance.now();
  Object.getPrototypeOf(grid).draw.call(grid);
  drawn.push(performance.now() - start);
};
function frame(now) {
  if (last !== null) frames.push(now - last);
  last = now;
  for (const cell of grid.used.values()) { seen++; if (cell.url) there++; }
  nodes = Math.max(nodes, document.querySelectorAll('*').length);
  if (frames.length === count) {
    const waited = performance.now();
    const settle = () => {
      const all = [...grid.used.values()].every((cell) => cell.url !== undefined);
      if (all) done({ frames, drawn, there: there / seen, nodes, settled: performance.now() - waited });
      else requestAnimationFrame(settle);
    };
    return settle();
  }
  grid.element.scrollTop += step;
  requestAnimationFrame(frame);
}
setTimeout(() => requestAnimationFrame(frame), 500);
"""
REJECT = """
const start = performance.now();
review.decide(2, 'reject');
return review.queue.then(() => performance.now() - start);
"""
TIMED = "const start = performance.now(); {}; return performance.now() - start"


def main(
    data: Annotated[Path, typer.Option(help="The shared data folder.")],
    faces: Annotated[int, typer.Option(help="Made-up faces to scroll through.")] = 100_000,
    work: Annotated[
        Path | None, typer.Option(help="Where the runs are made, and kept for another time.")
    ] = None,
) -> None:
    """Write both."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        small = mined(folder, data)
        large = made_up(folder / f"large-{faces}", faces, small)
        with running_browser(Path(temporary) / "profile") as browser:
            with browser.page(1280, 800) as page, served(small) as (address, _):
                picture(page, address)
            with browser.page(1600, 1000) as page, served(large) as (address, seconds):
                text = figures(page, address, faces, seconds)
    page_text = EVIDENCE.read_text(encoding="utf-8")
    block = re.compile(r"(?<=<!-- figures:review -->\n).*?(?=<!-- /figures -->)", re.DOTALL)
    EVIDENCE.write_text(block.sub(lambda _: text, page_text), encoding="utf-8")


def mined(folder: Path, data: Path) -> Path:
    """A run of the demo's clip, and of the head scan in many poses."""
    run = folder / "run"
    if run.exists():
        return run
    clip = make_clip(folder / "astronaut.mp4")
    scan, random = HeadScan(data / "mesh"), np.random.default_rng(1)
    renders = folder / "head scan"
    renders.mkdir(exist_ok=True)
    for number, (azimuth, elevation) in enumerate(TURNS):
        rotation = matrix_from_direction(*(np.array(float(angle)) for angle in (azimuth, elevation, 0)))
        grey = np.full((480, 480, 3), random.integers(60, 180), np.uint8)
        cv2.imwrite(
            str(renders / f"{number:03d}.png"), scan.render(rotation, grey, random, vary=True)[..., ::-1]
        )
    lpff_ray.mine([str(clip.path), str(renders)], str(run), MineConfig(every=4), workers=1)
    lpff_ray.dedupe(str(run), executor="local", device="cpu")
    return run


def made_up(run: Path, faces: int, small: Path) -> Path:
    """A run of random faces with thumbnails of another one's faces."""
    if run.exists():
        return run
    synthetic_run(str(run), faces // VIDEO_FACES, VIDEO_FACES)
    pictures = lpff_ray.thumbnails(str(small), lpff_ray.scan(str(small)).collect())
    random = np.random.default_rng(0)
    listed = lpff_ray.scan(str(run)).select("face_id", "segment_id").collect()
    for (segment,), table in listed.partition_by("segment_id", as_dict=True).items():
        drawn = pictures[random.integers(0, len(pictures), len(table)).tolist()]
        commit_thumbnails(
            Folder(str(run)),
            str(segment),
            drawn.with_columns(table["face_id"]).select(list(schema.THUMBNAILS)),
        )
    return run


@contextmanager
def served(run: Path) -> Iterator[tuple[str, float]]:
    """The address of the review of a run, and how many seconds of CPU it took until it was there."""
    command = [sys.executable, "-m", "lpff_ray", "review", str(run), "--reviewer", "Ann"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield line.split(" at ")[1].split()[0], cpu_seconds(process.pid)
        finally:
            process.terminate()


def picture(page: Page, address: str) -> None:
    """The page in the middle of a review."""
    page.open(address)
    page.wait("return Boolean(globalThis.review)")
    page.run("review.filters.set({ duplicates: false, sort: 'abs_yaw' }, false)")
    page.press("ArrowRight", "x", "ArrowRight", "a", "ArrowDown", "2")
    page.wait("return review.faces.actions === 3")
    page.run("review.grid.go(12); review.grid.toggle(12); review.grid.toggle(13)")
    page.wait("return document.querySelectorAll('.cell:not([hidden]) img.there').length > 15")
    page.wait("return document.querySelectorAll('#inspector table td').length > 0")
    time.sleep(2.5)  # the toast goes
    page.screenshot(PICTURE)


def figures(page: Page, address: str, faces: int, seconds: float) -> str:
    """What was measured, as Markdown."""
    start = time.perf_counter()
    page.open(address)
    page.wait(
        "return Boolean(globalThis.review) && [...review.grid.used.values()].every((cell) => cell.url)",
        seconds=120,
    )
    loaded = time.perf_counter() - start
    size = page.run(
        "return performance.getEntriesByName(new URL('/api/faces', location).href)[0].transferSize"
    )
    page.driver.set_script_timeout(120)
    rows = []
    for name, step in SPEEDS.items():
        before = cpu_seconds(page.driver.service.process.pid)
        found = page.driver.execute_async_script(SCROLL, step, FRAMES)
        cpu = 1000 * (cpu_seconds(page.driver.service.process.pid) - before) / FRAMES
        rows.append(
            [
                *(name, str(step), f"{cpu:.0f}", f"{np.median(found['drawn']):.1f}"),
                *milliseconds(found["frames"]),
                *(f"{found['there']:.0%}", f"{found['settled']:.0f}", str(found["nodes"])),
            ]
        )
    names = [
        *("scrolling", "px a frame", "CPU a frame, ms", "of it filling cells", "frame, median ms"),
        *("99th percentile", "longest"),
        *("cells with a picture meanwhile", "pictures complete after, ms", "elements, at most"),
    ]
    table = pl.DataFrame(rows, names, orient="row")
    done = {
        "filter by quality": timed(page, "review.filters.set({ ranges: { iqa: [50, null] } }, false)"),
        "sort by quality": timed(page, "review.filters.set({ ranges: {}, sort: 'iqa' }, false)"),
        "sort by person and yaw": timed(page, "review.filters.set({ sort: 'persons' }, false)"),
    }
    acted = [float(page.run(REJECT)) for _ in range(20)]
    page.run("review.grid.select(0, review.grid.rows.length - 1)")
    every = float(page.run(REJECT))
    heap = page.run("return performance.memory.usedJSHeapSize") / 1e6
    times = ", ".join(f"{name} {value:.0f}" for name, value in done.items())
    return (
        f"{faces:,} faces of {faces // VIDEO_FACES} videos, Chromium without a window or a GPU, 1600 x 1000 pixels;\n"
        f"{os.cpu_count()} cores, on which {os.getloadavg()[0]:.0f} processes wanted to run. "
        "Until the server was there it\n"
        f"took {seconds:.1f} s of CPU; the page with its first pictures came {loaded:.1f} s later. "
        "The columns of all faces\n"
        f"are {size / 1e6:.1f} MB, the page's heap {heap:.0f} MB.\n\n"
        f"{markdown(table)}\n"
        f"In ms, the best of five: {times}. One decision, on the disk\n"
        f"and shown: {min(acted):.0f} at best, {np.median(acted):.0f} in the median of 20; "
        f"rejecting all {faces:,} at once: {every:.0f}.\n"
    )


def milliseconds(frames: Sequence[float]) -> tuple[str, str, str]:
    """Median, 99th percentile and maximum of times between frames."""
    return tuple(f"{value:.1f}" for value in (np.median(frames), np.quantile(frames, 0.99), max(frames)))  # type: ignore[return-value]


def cpu_seconds(pid: int) -> float:
    """What a process and its children have taken of the cores: unlike a clock, it knows nothing of other work."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def timed(page: Page, code: str) -> float:
    """Milliseconds until a statement is done and drawn, best of five."""
    return min(float(page.run(TIMED.format(f"{code}; review.grid.draw()"))) for _ in range(5))


if __name__ == "__main__":
    typer.run(main)
