"""`python -m benchmarks.documents`: writes docs/columns.md, docs/models.md, the output in README.md and the notebook.

They follow from the schema, the model cards and the demo's run. Tests check that what is there is what this writes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

import lpff_ray
from benchmarks.documents import notebook, pages, readme
from lpff_ray.cli.demo_clip import make_clip

ROOT = Path(__file__).resolve().parents[2]


def main(only: Annotated[str, typer.Option(help="pages, readme or notebook; all if not given")] = "") -> None:
    """Write them in this checkout."""
    if only in ("", "pages"):
        for name, text in pages.made().items():
            (ROOT / name).write_text(text, "utf-8")
    if only == "pages":
        return
    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(Path(folder, "demo", "astronaut.mp4"))
        lpff_ray.mine(clip.path, Path(folder, "run"), lpff_ray.MineConfig(every=5), executor="local")
        if only in ("", "readme"):
            page = ROOT / "README.md"
            page.write_text(readme.filled(page.read_text("utf-8"), Path(folder)), "utf-8")
        if only in ("", "notebook"):
            (ROOT / notebook.PLACE).write_text(notebook.executed(Path(folder)), "utf-8")


if __name__ == "__main__":
    typer.run(main)
