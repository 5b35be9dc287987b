"""Draws the pictures of docs/report.md: a report in a real browser, light, dark and on a phone.

    PYTHONPATH=.:tests/helpers/pages python -m benchmarks.report_pictures --data ../shared/data --out docs

Nobody is in them who did not agree to be: the run is of clips made of the CC-BY head scan of Lee Perry-Smith (Infinite-
Realities), its shape and skin changed at random for each, and of the demo's public-domain portrait. `--run RUN` takes a
run of yours, for pictures that stay with you.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import av
import numpy as np
import typer
from browser import Page, running_browser
from numpy.typing import NDArray
from PIL import Image

import lpff_ray
from lpff_ray.cli.demo_clip import make_clip
from lpff_ray.geometry.rotation import matrix_from_direction
from training.render import HeadScan

HEADS, FRAMES, SIDE, FPS = 5, 96, 480, 24
SEED = 11
COLOURS = 200
"""Of a picture: fewer than it has, for a smaller file."""
VIEWS = {
    "report-poses": ("#poses", 1180, "light"),
    "report-distributions": ("#distributions", 1180, "dark"),
    "report-selection": ("#selections details", 1180, "light"),
    "report-identities": ("#identities", 1180, "dark"),
}
"""Section, width of the window, colours."""
TALLEST = 760


def main(
    data: Annotated[Path, typer.Option(help="The shared data folder.")] = Path("../shared/data"),
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")] = Path("docs"),
    run: Annotated[Path | None, typer.Option(help="A run, in place of one of made-up clips.")] = None,
) -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = run or mined(data, Path(scratch))
        page = Path(lpff_ray.report(str(folder), f"{scratch}/report.html"))
        with running_browser(Path(scratch, "profile")) as browser, browser.page() as tab:
            for name, (section, width, colours) in VIEWS.items():
                tab.prefer("dark" if colours == "dark" else "light")
                tab.resize(width, 6000)
                tab.open(page)
                tab.wait(
                    "return [...document.querySelectorAll('[data-chart]')].every((one) => one.childElementCount)"
                )
                element = tab.all(section)[0]
                shot(tab, element.rect, out / f"{name}.png")
            phone(tab, page, out / "report-phone.png")


def mined(data: Path, folder: Path) -> Path:
    """A run of made-up clips, with identities and a selection."""
    clips = folder / "clips"
    clips.mkdir()
    scan = HeadScan(data / "mesh")
    for number in range(HEADS):
        write_clip(scan, number, clips / f"head-{number + 1}.mp4")
    make_clip(clips / "astronaut.mp4")
    run = folder / "clips-run"
    lpff_ray.mine(str(clips), str(run), lpff_ray.MineConfig(every=3), executor="local")
    lpff_ray.dedupe(str(run), executor="local")
    lpff_ray.select(str(run), "large-pose", "lpff", {"min_iqa_quantile": 0.0})
    return run


def write_clip(scan: HeadScan, number: int, path: Path) -> None:
    """A head that turns from one profile to the other, and nods on its way."""
    steps = np.linspace(0, 1, FRAMES)
    azimuth = -95 + 190 * (0.5 - 0.5 * np.cos(np.pi * steps))
    elevation = 24 * np.sin(2 * np.pi * (1.5 * steps + number / HEADS))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS), options={"crf": "18", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for angles in zip(azimuth, elevation, 6 * np.sin(9 * steps), strict=True):
            rotation = matrix_from_direction(*(np.array(float(angle)) for angle in angles))
            picture = scan.render(rotation, backdrop(number), np.random.default_rng(SEED + number))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def backdrop(number: int) -> NDArray[np.uint8]:
    """A grey that gets lighter to one side, of another tone for each head."""
    tone = np.random.default_rng(number).uniform(0.85, 1.1, 3)
    ramp = np.linspace(70, 150, SIDE)[None, :, None] * tone
    return np.broadcast_to(ramp, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8).copy()


def phone(tab: Page, page: Path, path: Path) -> None:
    """The page and an opened face at the width of a phone, beside each other."""
    halves = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, opened in enumerate((False, True)):
            tab.prefer("dark")
            tab.resize(390, TALLEST)
            tab.open(page)
            tab.run("document.getElementById('poses').scrollIntoView({ behavior: 'instant' })")
            tab.wait("return document.querySelector('#map img')")
            if opened:
                tab.run("document.querySelectorAll('#map button')[6].click()")
            halves.append(Image.open(tab.screenshot(Path(scratch, f"{number}.png"))).convert("RGB"))
        both = Image.new("RGB", (2 * 390 + 20, TALLEST), "white")
        for number, half in enumerate(halves):
            both.paste(half, (number * 410, 0))
    save(both, path)


def shot(tab: Page, place: dict[str, int], path: Path) -> None:
    """A part of the page, at most TALLEST pixels of it."""
    with tempfile.TemporaryDirectory() as scratch:
        whole = Image.open(tab.screenshot(Path(scratch, "whole.png"))).convert("RGB")
    top = round(place["y"]) - 8
    bottom = min(top + round(place["height"]) + 16, top + TALLEST)
    save(whole.crop((0, top, whole.width, bottom)), path)


def save(picture: Image.Image, path: Path) -> None:
    """Write a PNG with few colours."""
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    typer.run(main)
