"""`python -m benchmarks.accuracy --data ../shared/data --out docs/`: measure everything, write docs/accuracy.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import cv2
import typer

from benchmarks.accuracy import detection, identities, identity, pose, quality, turned
from lpff_ray.config import MineConfig
from lpff_ray.models.precision import Precision, precision

HEAD = """# Accuracy

Made by `python -m benchmarks.accuracy --data ../shared/data --out docs/`; every figure comes out of the code that
`lpff-ray mine` runs.
"""
PARTS = {
    "detection": "Detection",
    "pose": "Pose",
    "turned": "Faces turned in the picture plane",
    "quality": "Image quality",
    "identity": "Identity",
    "identities": "Identities",
}


def main(
    data: Annotated[Path, typer.Option(help="The shared data folder.")],
    out: Annotated[Path, typer.Option(help="Folder for accuracy.md and its plots.")],
    only: Annotated[
        str, typer.Option(help=f"Some of {','.join(PARTS)}; the rest of accuracy.md stays.")
    ] = "",
) -> None:
    """Write accuracy.md and its plots."""
    chosen = [name.strip() for name in only.split(",")] if only else list(PARTS)
    if unknown := sorted(set(chosen) - set(PARTS)):
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(PARTS)}", param_hint="--only")
    cv2.setNumThreads(1)
    out.mkdir(parents=True, exist_ok=True)
    evaluate: dict[str, Callable[[], str]] = {
        "detection": lambda: detection.evaluate(data),
        "pose": lambda: pose.evaluate(data, out / "pose_error.png"),
        "turned": lambda: turned.evaluate(data),
        "quality": lambda: quality.evaluate(data),
        "identity": lambda: identity.evaluate(data),
        "identities": lambda: identities.evaluate(data),
    }
    page = out / "accuracy.md"
    written = sections(page.read_text(encoding="utf-8")) if page.exists() else {}
    for name in chosen:
        with precision(Precision(MineConfig().precision)):  # as `mine` has it
            written[PARTS[name]] = evaluate[name]().strip()
        print(f"## {PARTS[name]}\n\n{written[PARTS[name]]}\n", flush=True)
    parts = (f"\n## {title}\n\n{written[title]}\n" for title in PARTS.values() if title in written)
    page.write_text(HEAD + "".join(parts), encoding="utf-8")


def sections(page: str) -> dict[str, str]:
    """What an accuracy.md holds below each of its headings."""
    parts = (part.split("\n", 1) for part in page.split("\n## ")[1:])
    return {title: rest[0].strip() for title, *rest in parts if rest}


if __name__ == "__main__":
    typer.run(main)
