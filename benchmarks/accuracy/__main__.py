"""`python -m benchmarks.accuracy --data ../shared/data --out docs/`: measure everything, write docs/accuracy.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.accuracy import detection, identity, pose, quality

HEAD = """# Accuracy

Made by `python -m benchmarks.accuracy --data ../shared/data --out docs/`; every figure comes out of the code that
`lpff-ray mine` runs.
"""


def main(
    data: Annotated[Path, typer.Option(help="The shared data folder.")],
    out: Annotated[Path, typer.Option(help="Folder for accuracy.md and its plots.")],
) -> None:
    """Write accuracy.md and its plots."""
    out.mkdir(parents=True, exist_ok=True)
    parts = {
        "Detection": detection.evaluate(data),
        "Pose": pose.evaluate(data, out / "pose_error.png"),
        "Image quality": quality.evaluate(data),
        "Identity": identity.evaluate(data),
    }
    text = HEAD + "".join(f"\n## {title}\n\n{part.strip()}\n" for title, part in parts.items())
    (out / "accuracy.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    typer.run(main)
