"""Runs the recipes of docs/recipes on the shared data, as they stand there, and keeps the pictures that they show.

    python -m benchmarks.recipes [--data ../shared/data]

A test runs the same commands (`tests/scenarios/inputs/test_recipes.py`).
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

DOCUMENTS = Path(__file__).resolve().parents[1] / "docs" / "recipes"
PICTURES = {"lpff-like": "rare", "efhq-like": "extreme"}
"""The selection whose picture each recipe shows."""
CLIPS = ("data-juicer_video3", "face_recognition_short_hamilton_clip")
PHOTOS = 8
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(name: str) -> list[tuple[str, str]]:
    """The commands (`sh`) and programs (`python`) of a recipe, in its order: language and text."""
    text = (DOCUMENTS / f"{name}.md").read_text("utf-8")
    return [(language, code) for language, code in _FENCE.findall(text) if language in ("sh", "python")]


def commands(code: str) -> list[list[str]]:
    """The command lines of a block, as words, without comments."""
    lines = code.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def prepare(folder: Path, data: Path) -> None:
    """Put what the recipes begin with into a folder: `photos/` and `photos.csv`, `videos/`."""
    photos = sorted((data / "pose" / "aflw2000_16").glob("*.jpg"))[:PHOTOS]
    (folder / "photos").mkdir()
    lines = ["uri,licence,author,photo_url"]
    for number, photo in enumerate(photos):
        shutil.copy(photo, folder / "photos" / photo.name)
        licence = "" if number == 0 else ("CC BY 2.0", "CC0")[number % 2]
        lines.append(f"photos/{photo.name},{licence},Photographer {number % 3},https://example.org/{number}")
    (folder / "photos.csv").write_text("\n".join(lines) + "\n")
    (folder / "videos").mkdir()
    for clip in CLIPS:
        (folder / "videos" / f"{clip}.mp4").symlink_to((data / "videos" / f"{clip}.mp4").resolve())


def run(name: str, folder: Path, execute: Callable[[list[str], Path], None]) -> None:
    """Run a recipe in a folder that `prepare` made. execute: runs one command line there, and fails if it fails."""
    for language, code in blocks(name):
        if language == "sh":
            for words in commands(code):
                execute(words, folder)
        else:
            before = Path.cwd()
            os.chdir(folder)
            try:
                exec(compile(code, f"{name}.md", "exec"), {})
            finally:
                os.chdir(before)


def main() -> None:
    """Run all recipes and write their pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DOCUMENTS.parents[2] / "shared" / "data")
    data = parser.parse_args().data

    def execute(words: list[str], folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "lpff_ray", *words[1:]], cwd=folder, check=True)

    for name, selection in PICTURES.items():
        with tempfile.TemporaryDirectory() as made:
            prepare(Path(made), data)
            run(name, Path(made), execute)
            shutil.copy(Path(made) / "run" / "selections" / f"{selection}.png", DOCUMENTS / f"{name}.png")


if __name__ == "__main__":
    main()
